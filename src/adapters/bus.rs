//! How a committed batch reaches every pump. Local only so far: a broadcast inside the process.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::entry::Entry;
use crate::domain::instance::Qr;

/// A log row just committed, with the code it announced, which is not in the row.
#[derive(Clone, Debug)]
pub struct Committed {
    pub entry: Entry,
    pub qr: Option<Qr>,
}

/// Batches the pump may lag behind before it must compare with the log instead.
const BACKLOG: usize = 1024;

/// Publishes committed batches in commit order.
#[derive(Clone, Debug)]
pub struct Bus {
    sender: broadcast::Sender<Arc<[Committed]>>,
}

impl Default for Bus {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }
}

impl Bus {
    pub fn publish(&self, batch: Arc<[Committed]>) {
        // No receiver is no fault: the log has it.
        let _ = self.sender.send(batch);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Committed]>> {
        self.sender.subscribe()
    }
}
