//! `zapgate serve`.

use std::net::TcpListener;

use anyhow::Context;
use tracing::warn;

use super::Failure;
use crate::app::{App, stop_signal};
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let found = settings.check();
    if !found.faults.is_empty() {
        return Err(Failure::Usage(found.faults));
    }
    for warning in &found.warnings {
        warn!("{warning}");
    }
    let address = settings.listen.address();
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    let app = App::build(settings, listener).await?;
    app.announce();
    app.run(stop_signal()).await?;
    Ok(())
}
