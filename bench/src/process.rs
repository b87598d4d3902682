//! A server under test as a process: started, awaited, weighed, stopped.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a server may take until it answers.
const READY_IN: Duration = Duration::from_secs(30);

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: u32,
    /// Others whose work is its work: a database's.
    helpers: Vec<u32>,
    pub port: u16,
}

/// What it has used since it began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    pub cpu: Duration,
    pub rss_bytes: u64,
}

impl Process {
    /// Starts it and waits until it answers `GET /health`.
    pub async fn start(mut command: Command, port: u16, helpers: Vec<u32>, log: &Path) -> anyhow::Result<Self> {
        let log = fs::File::create(log)?;
        let child = command
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let pid = child.id().context("it ended at once")?;
        let mut process = Self { child, pid, helpers, port };
        process.ready().await?;
        Ok(process)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + READY_IN;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} before it answered");
            }
            if is_healthy(self.port).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it did not answer within {READY_IN:?}")
    }

    /// CPU time of the process and its helpers; memory of the process.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let mut cpu = cpu_of(self.pid)?;
        for helper in self.helpers.iter().flat_map(|pid| family(*pid)) {
            // One that has just ended took its share along.
            cpu += cpu_of(helper).unwrap_or_default();
        }
        Ok(Usage { cpu, rss_bytes: rss_of(self.pid)? })
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        if tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

async fn is_healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer.ends_with(b" 200"))
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), ask).await, Ok(Ok(true)))
}

/// The process and its children, theirs not included.
fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
}

/// User and system time of all its threads.
fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may have spaces; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').context("/proc/…/stat is unreadable")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).context("/proc/…/stat is short");
    let ticks = ticks()? + ticks()?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn rss_of(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
