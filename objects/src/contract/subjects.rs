//! The stores that the suite runs on.

mod folder {
    use std::sync::Arc;

    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};
    use crate::folder::Folder;

    async fn open(case: &str) -> Option<Subject> {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Folder::open(dir.path()).unwrap());
        Some(Subject { store, root: Location::from(case), sorted: true, _guard: Box::new(dir) })
    }

    suite!(open);
}

mod memory {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};

    async fn open(case: &str) -> Option<Subject> {
        Some(Subject {
            store: Arc::new(InMemory::new()),
            root: Location::from(case),
            sorted: true,
            _guard: Box::new(()),
        })
    }

    suite!(open);
}

mod s3_in_process {
    use std::sync::Arc;

    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};
    use crate::s3::tests::Server;

    async fn open(case: &str) -> Option<Subject> {
        let server = Server::start().await;
        let store = Arc::new(server.store());
        Some(Subject { store, root: Location::from(case), sorted: true, _guard: Box::new(server) })
    }

    suite!(open);
}

/// A server that the environment names; the cases pass without doing anything when it names none.
pub(super) mod s3_of_the_environment {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};
    use crate::s3::{S3, S3Settings};

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    #[expect(clippy::disallowed_methods, reason = "tests are an edge")]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    pub(in crate::contract) async fn open(case: &str) -> Option<Subject> {
        let endpoint = Some(variable("MAYFLY_TEST_S3_ENDPOINT")?);
        let bucket = variable("MAYFLY_TEST_S3_BUCKET").unwrap_or_else(|| "metrics".into());
        let store = Arc::new(S3::new(S3Settings { bucket, endpoint, ..S3Settings::default() }));
        // Some servers list by folder; whoever runs the suite on AWS may say that it sorts.
        let sorted = variable("MAYFLY_TEST_S3_SORTED").is_some();
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let root = Location::from(format!("contract/{}-{run}/{case}", std::process::id()));
        Some(Subject { store, root, sorted, _guard: Box::new(()) })
    }

    suite!(open);
}
