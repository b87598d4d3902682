//! `zapgate serve`.

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
    let stop = stop_signal()?;
    let listener = settings.listen.bind().map_err(anyhow::Error::msg)?;
    let app = App::build(settings, listener).await?;
    app.announce();
    app.run(stop).await?;
    Ok(())
}
