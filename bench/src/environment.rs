//! On what and with what it was measured.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use serde::Serialize;

use crate::contestant::Places;

/// What a reader of the table needs to know to measure the same again. What can't be found out is left empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Environment {
    /// Of the source; with a `+` when it was changed since.
    commit: String,
    date: String,
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    /// Of the folder that databases are in.
    filesystem: String,
    /// Of Node.js, Bun and Postgres.
    versions: Vec<String>,
    rounds: u32,
    seconds: u64,
}

impl Environment {
    pub fn of(places: &Places, rounds: u32, seconds: u64) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let postgres = places.postgres.as_ref().map(|(_, pid)| said(&format!("/proc/{pid}/exe"), &["--version"]));
        let versions = [
            Some(format!("Node.js {}", said("node", &["--version"]))),
            places.bun().to_str().map(|bun| format!("Bun {}", said(bun, &["--version"]))),
            postgres,
        ];
        Self {
            commit: commit(),
            date: format!("{:.10}", Timestamp::now().to_string()),
            cpu: member(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            memory_gib: kib(&member(&read("/proc/meminfo"), "MemTotal")).div_ceil(1 << 20),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            filesystem: filesystem(&read("/proc/mounts"), &std::env::temp_dir()),
            versions: versions.into_iter().flatten().collect(),
            rounds,
            seconds,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, date, cpu, cores, memory_gib, kernel, filesystem, versions, rounds, seconds } = self;
        write!(
            f,
            "Commit {commit}, {date}. {cpu}, {cores} cores, {memory_gib} GiB, {kernel}, databases on {filesystem}. "
        )?;
        write!(f, "{}. Rounds: {rounds}; {seconds} s each.", versions.join(", "))
    }
}

fn commit() -> String {
    let changed = !said("git", &["status", "--porcelain"]).is_empty();
    format!("{}{}", said("git", &["rev-parse", "--short", "HEAD"]), if changed { "+" } else { "" })
}

/// What a program prints; nothing if it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The value of the first line that begins with `name`, in the style of `/proc`.
fn member(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn kib(value: &str) -> u64 {
    value.trim_end_matches(" kB").parse().unwrap_or_default()
}

/// The type of what is mounted nearest above the folder, by the lines of `/proc/mounts`.
fn filesystem(mounts: &str, folder: &Path) -> String {
    let fields = mounts.lines().map(|line| line.split(' ').skip(1).take(2).collect::<Vec<_>>());
    let above = fields.filter(|fields| fields.len() == 2 && folder.starts_with(fields[0]));
    above.max_by_key(|fields| fields[0].len()).map(|fields| fields[1].to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_tells_the_filesystem() {
        let mounts = "/dev/a / ext4 rw 0 0\nproc /proc proc rw 0 0\ntmpfs /var/tmp tmpfs rw 0 0\n";

        assert_eq!(filesystem(mounts, Path::new("/var/tmp/x")), "tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/var/tmpx")), "ext4");
    }

    #[test]
    fn members_are_read_as_proc_writes_them() {
        assert_eq!(kib(&member("MemFree: 1 kB\nMemTotal:       24117248 kB\n", "MemTotal")), 24_117_248);
        assert_eq!(member("model name\t: AMD EPYC\n", "model name"), "AMD EPYC");
        assert_eq!(member("", "model name"), "");
    }
}
