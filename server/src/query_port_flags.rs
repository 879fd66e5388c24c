//! Flags about how whoever asks is served, with the names that Prometheus gives them.

use clap::Args;
use edge::{Origins, Page, QueryPort, RemoteReadSettings, RemoteReads};

use crate::cli::bytes;
use crate::page::FILES;

#[derive(Args, Debug)]
pub(crate) struct QueryPortFlags {
    /// How many samples a query of a remote read may give where the client takes no chunks; 0 for any number
    #[arg(long = "storage.remote.read-sample-limit", value_name = "COUNT", default_value_t = 50_000_000)]
    read_samples_max: u64,

    /// How many remote reads are answered at once, others wait; 0 for any number
    #[arg(long = "storage.remote.read-concurrent-limit", value_name = "COUNT", default_value_t = 10)]
    reads_max: usize,

    /// How many bytes of chunks a frame of a remote read has, the last chunk aside
    #[arg(long = "storage.remote.read-max-bytes-in-frame", value_name = "BYTES", default_value = "1048576",
        value_parser = bytes)]
    read_frame_bytes_max: usize,

    /// Pages of which origins may see answers of the API, a regular expression for all of an origin, as
    /// 'https?://(a|b)\.example' [default: any]
    #[arg(long = "web.cors.origin", value_name = "REGEX")]
    origins: Option<Origins>,
}

impl QueryPortFlags {
    /// What they say; whoever has a clone shares the places of remote reads.
    pub(crate) fn settings(&self) -> QueryPort {
        let remote_reads = RemoteReads::new(self.remote_read());
        let origins = self.origins.clone().unwrap_or_default();
        QueryPort { remote_reads, origins, page: Page::of(FILES) }
    }

    fn remote_read(&self) -> RemoteReadSettings {
        RemoteReadSettings {
            samples_max: self.read_samples_max,
            concurrent_max: self.reads_max,
            frame_bytes_max: self.read_frame_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        port: QueryPortFlags,
    }

    #[test]
    fn flags_become_settings() {
        let settings = |arguments: &[&str]| {
            Flags::try_parse_from([&["mayfly"], arguments].concat()).expect("flags").port.remote_read()
        };
        assert_eq!(settings(&[]), RemoteReadSettings::default());
        let all = ["sample-limit=0", "concurrent-limit=3", "max-bytes-in-frame=1KiB"]
            .map(|flag| format!("--storage.remote.read-{flag}"));
        let expect = RemoteReadSettings { samples_max: 0, concurrent_max: 3, frame_bytes_max: 1_024 };
        assert_eq!(settings(&all.each_ref().map(String::as_str)), expect);
        let error = Flags::try_parse_from(["mayfly", "--web.cors.origin=("]).expect_err("is no expression");
        assert!(error.to_string().contains("missing closing )"), "{error}");
    }
}
