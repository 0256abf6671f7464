//! What a fault of ours does to those who reload: nothing for long.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::metrics::Metrics;
use crate::outbound::Connector;

/// A file of its own, gone at the end of the test.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let name = format!("koigate-reload-{:016x}.toml", fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    fn says(&self, timeout: &str) -> &Path {
        let text = format!(
            "[backends.a]\nurl = \"http://127.0.0.1:9/\"\ntimeout = \"{timeout}\"\n[hooks.onResult]\nchain = [\"a\"]\n"
        );
        fs::write(&self.0, text).unwrap();
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_panic_while_it_reads_ends_nobodys_watching() {
    static IS_BROKEN: AtomicBool = AtomicBool::new(true);
    let file = File::new();
    let ground = Ground {
        connector: Connector::new().unwrap(),
        metrics: Arc::new(Metrics::new().unwrap()),
        room: Arc::default(),
    };
    let configuration = Configuration::read_as_written(file.says("1s")).unwrap();
    let reloader = Reloader {
        read: |origin| {
            assert!(!IS_BROKEN.load(Ordering::Relaxed), "told to");
            origin.read()
        },
        ..Reloader::start(configuration, ground)
    };
    let timeout = || reloader.running().plan.backends[0].timeout.as_secs();
    file.says("2s");
    reloader.reload_and_go_on(Trigger::Watch).await;
    assert_eq!((timeout(), reloader.standing().generation), (1, 1));
    // It is not tried again before something changes.
    assert_eq!(reloader.origin(), reloader.origin().now());
    let failed = "koigate_config_reloads_total{result=\"failure\"} 1";
    let series = reloader.ground.metrics.registry.gather();
    let text = prometheus::TextEncoder::new().encode_to_string(&series).unwrap();
    assert!(text.contains(failed), "{text}");

    IS_BROKEN.store(false, Ordering::Relaxed);
    file.says("3s");
    assert_ne!(reloader.origin(), reloader.origin().now());
    reloader.reload_and_go_on(Trigger::Watch).await;
    assert_eq!((timeout(), reloader.standing().generation), (3, 2));
}
