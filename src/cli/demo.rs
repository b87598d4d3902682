//! `zapgate demo`: a server in a throwaway folder, fed by sample users.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::{Failure, say};
use crate::adapters::clock;
use crate::app::{App, stop_signal};
use crate::config::Settings;
use crate::domain::ids::UserId;
use crate::simulator::replay::{self, Sender, USERS};

#[derive(Clone, Debug, clap::Args)]
// The demo has a database and an operator of its own.
#[command(mut_arg("database_url", |arg| arg.hide(true)), mut_arg("admin_token", |arg| arg.hide(true)))]
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
    let found = settings.check();
    if !found.faults.is_empty() {
        return Err(Failure::Usage(found.faults));
    }
    let stop = stop_signal()?;
    let listener = settings.listen.bind().map_err(anyhow::Error::msg)?;
    let app = App::build(settings, listener).await?;
    let base = app.local_url();
    let code = app.login_code(LOGIN_TTL).await?;
    let senders = senders(&app, &base)?;
    let tasks = app.tasks();
    let welcome = async {
        replay::start(senders, &admin, &tasks).await?;
        say(&format!("\n  zapgate demo is running. Open:\n\n    {base}/#login={code}\n"));
        say("  The link signs in once, within 10 minutes. Three sample users scan, connect and get messages.");
        say("  Ctrl+C stops it and throws everything away.\n");
        std::io::stdout().flush().map_err(anyhow::Error::from)
    };
    let (served, welcomed) = tokio::join!(app.run(stop), welcome);
    served?;
    welcomed?;
    Ok(())
}

fn senders(app: &App, base: &str) -> anyhow::Result<Vec<Sender>> {
    USERS
        .iter()
        .map(|user| {
            let instance = app.instance_name(&UserId::named_by_admin(user.id)?);
            let key = app.webhook_key(&instance).context("the webhook secret is missing")?;
            Ok(Sender::new(base, *user, instance, key, app.clock()))
        })
        .collect()
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
