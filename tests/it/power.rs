//! A killed process loses nothing that it wrote, synced or not, so a kill cannot show that an answer waits for the
//! disk. The system calls can: between an event's write to the log file and the answer about it there is a sync.

use std::collections::BTreeMap;
use std::process::Command;

use crate::process::{Site, message, terminate};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_on_the_disk_before_it_is_acknowledged() {
    let Some(strace) = strace() else { return };
    let site = Site::new();
    let trace = site.path().join("trace");
    let calls = "trace=write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync";
    let options = ["-f", "-y", "-s", "9000", "-e", calls, "-o", trace.to_str().unwrap()];
    let command: Vec<_> = std::iter::once(strace).chain(options).map(Into::into).collect();
    let mut server = site.start_under(&command).await;
    for user in ["ana", "rui"] {
        server.user(user, None).await;
    }

    let mut acknowledged = Vec::new();
    for number in 0..10 {
        let (one, other) = (format!("ONE{number}X"), format!("TWO{number}X"));
        let (ana, rui) = (message("ana", &one), message("rui", &other));
        let answers = tokio::join!(server.evolution_posts("ana", &ana), server.evolution_posts("rui", &rui));
        assert_eq!((answers.0.verdict(), answers.1.verdict()), ("stored", "stored"));
        acknowledged.push([one, other]);
    }
    terminate(child_of(server.id()));
    assert_eq!(server.ended().await, Some(0));

    let trace = std::fs::read(&trace).unwrap();
    let calls = Call::all(&String::from_utf8_lossy(&trace));
    let answers: Vec<&Call> = calls.iter().filter(|call| call.text.contains(r#"\"status\":\"stored\""#)).collect();
    assert_eq!(answers.len(), 20, "every answer is in the trace");
    // Both of a pair are answered before the next pair is sent.
    for (pair, answers) in acknowledged.iter().zip(answers.chunks(2)) {
        let durable = pair.each_ref().map(|event| durable_at(&calls, event));
        assert!(durable.iter().any(|at| *at < answers[0].began), "{pair:?}: the first answer came before any sync");
        assert!(durable.iter().all(|at| *at < answers[1].began), "{pair:?}: the second answer came before its sync");
    }
}

/// The line at which the first sync ended that began after the event was written to the write-ahead log.
fn durable_at(calls: &[Call], event: &str) -> usize {
    let is_wal = |call: &&Call| call.text.contains("zapgate.db-wal>");
    let written = calls.iter().filter(is_wal).find(|call| call.is("pwrite64") && call.text.contains(event));
    let written = written.unwrap_or_else(|| panic!("{event} was never written to the log")).ended;
    let mut syncs = calls.iter().filter(is_wal).filter(|call| call.is("fsync") || call.is("fdatasync"));
    syncs.find(|call| call.began > written).map_or(usize::MAX, |call| call.ended)
}

/// A system call, with the lines of the trace where it began and ended.
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn is(&self, name: &str) -> bool {
        self.text.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
    }

    /// Reads `strace -f`, where a call that others overtook is on two lines.
    fn all(trace: &str) -> Vec<Self> {
        let mut calls: Vec<Self> = Vec::new();
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        for (line, text) in trace.lines().enumerate() {
            let Some((thread, text)) = text.split_once(' ') else { continue };
            let text = text.trim_start();
            if text.starts_with("<... ") {
                if let Some(at) = open.remove(thread) {
                    calls[at].ended = line;
                }
                continue;
            }
            let overtaken = text.ends_with("<unfinished ...>");
            if overtaken {
                open.insert(thread, calls.len());
            }
            calls.push(Self { text: text.to_owned(), began: line, ended: if overtaken { usize::MAX } else { line } });
        }
        calls
    }
}

/// The process that `strace` started.
fn child_of(parent: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    children.split_whitespace().next().expect("strace runs it").parse().unwrap()
}

/// Without `strace` this test shows nothing, which is a failure where it counts.
fn strace() -> Option<&'static str> {
    if Command::new("strace").arg("-V").output().is_ok() {
        return Some("strace");
    }
    let how = "strace is missing: run `scripts/test power`, which installs it, or `apt-get install strace`";
    assert!(std::env::var_os("CI").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}
