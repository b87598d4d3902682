//! `zapgate demo`: a server in a throwaway folder with a simulated Evolution, and the lives of three sample users.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::{Failure, say};
use crate::adapters::clock;
use crate::adapters::tasks::Tasks;
use crate::app::{App, stop_signal};
use crate::config::Settings;
use crate::http::Extras;
use crate::simulator::demo::{self, Demo};
use crate::simulator::lives::{self, Saas, USERS};
use crate::simulator::{Simulator, SimulatorConfig};

#[derive(Clone, Debug, clap::Args)]
// The demo has a database, an operator and an Evolution of its own.
#[command(
    mut_arg("database_url", |arg| arg.hide(true)),
    mut_arg("admin_token", |arg| arg.hide(true)),
    mut_arg("webhook_url", |arg| arg.hide(true)),
    mut_arg("evolution_api_url", |arg| arg.hide(true)),
    mut_arg("evolution_api_key", |arg| arg.hide(true))
)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    settings: Settings,
}

/// How long the printed URL signs somebody in (INTERFACE §1).
const LOGIN_TTL: Duration = Duration::from_mins(10);

pub(super) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let folder = Throwaway::make()?;
    let admin = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(clock::random_bytes::<32>()));
    let mut settings = args.settings;
    settings.database_url = format!("sqlite://{}", folder.0.join("zapgate.db").display());
    settings.identity.admin_token = Some(admin.clone());
    settings.webhook_url = None;
    (settings.evolution.evolution_api_url, settings.evolution.evolution_api_key) = (None, None);
    let found = settings.check();
    if !found.faults.is_empty() {
        return Err(Failure::Usage(found.faults));
    }
    let stop = stop_signal()?;
    let listener = settings.listen.bind().map_err(anyhow::Error::msg)?;
    // Not of the app: Evolution is there when the gateway starts, and until it has ended.
    let tasks = Tasks::default();
    let simulator = started(&mut settings, &tasks).await?;
    let demo = Demo::new(simulator);
    let mounted = demo.clone();
    let app = App::build(settings, listener).await?.with_extras(Extras::new(move |cfg| demo::routes(cfg, &mounted)))?;
    let base = app.local_url();
    let code = app.login_code(LOGIN_TTL).await?;
    let lives = app.tasks();
    let welcome = async {
        // All that is asked is in this process: a proxy of the environment would not find it.
        let http = reqwest::Client::builder().no_proxy().build()?;
        let saas = Saas { base: base.as_str().into(), admin, http };
        futures_util::future::try_join_all(USERS.iter().map(|user| saas.connect(user.id))).await?;
        lives.spawn("sample-users", |stop| lives::live(demo, saas, stop));
        say(&format!("\n  zapgate demo is running. Open:\n\n    {base}/#login={code}\n"));
        say("  The link signs in once, within 10 minutes. Three sample users scan, connect and get messages.");
        say("  Ctrl+C stops it and throws everything away.\n");
        std::io::stdout().flush().map_err(anyhow::Error::from)
    };
    let (served, welcomed) = tokio::join!(app.run(stop), welcome);
    tasks.cancel();
    tasks.join(Duration::from_secs(1)).await;
    served?;
    welcomed?;
    Ok(())
}

/// The simulated Evolution, which the settings then lead to.
async fn started(settings: &mut Settings, tasks: &Tasks) -> anyhow::Result<Simulator> {
    let key = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(clock::random_bytes::<32>()));
    let config = SimulatorConfig { key: key.clone(), has_control: false, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config, tasks).await.context("starting the simulated Evolution")?;
    settings.evolution.evolution_api_url = Some(simulator.url().parse()?);
    settings.evolution.evolution_api_key = Some(key);
    Ok(simulator)
}

/// A folder that goes when the demo does.
struct Throwaway(PathBuf);

impl Throwaway {
    fn make() -> anyhow::Result<Self> {
        let name = clock::random_bytes::<8>().iter().fold(String::from("zapgate-demo-"), |mut name, byte| {
            use std::fmt::Write;
            let _ = write!(name, "{byte:02x}");
            name
        });
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        // A folder that can't be removed is the system's to clean: it is in its temporary place.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
