//! The stores that the suite runs on.

mod folder {
    use std::sync::Arc;

    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};
    use crate::folder::Folder;

    async fn open(case: &str) -> Option<Subject> {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Folder::open(dir.path()).unwrap());
        Some(Subject { store, root: Location::from(case), _guard: Box::new(dir) })
    }

    suite!(open);
}

mod memory {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path as Location;

    use crate::contract::{Subject, suite};

    async fn open(case: &str) -> Option<Subject> {
        Some(Subject { store: Arc::new(InMemory::new()), root: Location::from(case), _guard: Box::new(()) })
    }

    suite!(open);
}
