//! The built program as a process of its own, with everything it logs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::{ADMIN, JWT_SECRET, WEBHOOK_SECRET};

/// Longest the program may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Program {
    pub url: String,
    child: Child,
    log: JoinHandle<String>,
    _folder: TempDir,
}

impl Program {
    /// Starts `zapgate serve` with the secrets of the tests, logging all that `filter` lets through.
    pub fn start(filter: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_zapgate"))
            .env_clear()
            .env("PORT", "0")
            .env("DATABASE_URL", format!("sqlite://{}", folder.path().join("zapgate.db").display()))
            .envs([("ADMIN_TOKEN", ADMIN), ("JWT_SECRET", JWT_SECRET), ("WEBHOOK_SECRET", WEBHOOK_SECRET)])
            .envs([("RUST_LOG", filter), ("LOG_FORMAT", "json"), ("DISK_FLOOR_PERCENT", "0")])
            .env("RATE_CALLER_PER_S", "100000")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (announced, url) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in lines.map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("zapgate listens on ") {
                    let _ = announced.send(url.chars().take_while(|c| !"\" ,".contains(*c)).collect());
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let url = url.recv_timeout(PATIENCE).expect("it says where it listens");
        Self { url, child, log, _folder: folder }
    }

    /// Asks it to stop, as a service manager does, and reads what it logged to the end.
    pub fn stop(mut self) -> String {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap()
    }
}
