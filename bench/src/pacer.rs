//! Sends at fixed times whatever the server does (open loop): a thread of its own says when each event is due, so that a
//! busy load generator shows as latency and is never left out.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// The times of so many events, that far apart, each told when it is due.
pub fn pace(events: usize, apart: Duration) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let start = Instant::now();
        for number in 0..events {
            let due = start + apart.mul_f64(number as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}
