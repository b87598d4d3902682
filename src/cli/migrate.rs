//! `zapgate migrate`: gives a user to the instances that have none, in a running server.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Server;
use super::{Failure, say};
use crate::config::Settings;
use crate::domain::ids::InstanceName;

/// The settings that say where the server is and who asks.
const SHOWN: [&str; 3] = ["host", "port", "admin_token"];

#[derive(Clone, Debug, clap::Args)]
// Every other setting is taken, so that one environment serves all commands, but has no say here.
#[command(mut_args(|arg| if SHOWN.contains(&arg.get_id().as_str()) { arg } else { arg.hide(true) }))]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List the instances without a user: what Evolution has, and what webhooks wait for in the quarantine.
    Check,
    /// Adopt all that are named `user_<id>`.
    Update,
    /// Adopt one, and release its quarantined webhooks in order.
    Migrate {
        /// Its name at Evolution.
        instance: String,
        /// Whose it becomes; needed for a name that is not `user_<id>`.
        #[arg(long)]
        user: Option<String>,
        /// The organisation it joins.
        #[arg(long)]
        org: Option<String>,
    },
}

pub(super) async fn run(args: MigrateArgs) -> Result<(), Failure> {
    let server = Server::of(&args.settings)?;
    match args.what {
        What::Check => check(&server).await,
        What::Update => update(&server).await,
        What::Migrate { instance, user: None, .. }
            if InstanceName::parse(&instance).is_ok_and(|name| name.user().is_none()) =>
        {
            Err(Failure::Usage(vec![format!("`{instance}` does not tell whose it is: name its user with --user")]))
        }
        What::Migrate { instance, user, org } => {
            let wanted = json!({"instanceName": instance, "userId": user, "organizationId": org});
            adopt(&server, &wanted).await.map_err(Failure::Failed)
        }
    }
}

async fn unowned(server: &Server) -> anyhow::Result<Vec<Value>> {
    Ok(server.get("/api/migration").await?["items"].as_array().cloned().unwrap_or_default())
}

async fn check(server: &Server) -> Result<(), Failure> {
    let found = unowned(server).await?;
    if found.is_empty() {
        say("every instance has a user");
        return Ok(());
    }
    for one in &found {
        say(&line(one));
    }
    let named = found.iter().filter(|one| one["userId"].is_string()).count();
    say(&format!("{} without a user", found.len()));
    if named > 0 {
        say(&format!("`zapgate migrate update` adopts the {named} named user_<id>"));
    }
    if named < found.len() {
        say("`zapgate migrate migrate <instance> --user <id>` adopts one of another name");
    }
    Ok(())
}

/// One instance, for people.
fn line(one: &Value) -> String {
    let name = one["instanceName"].as_str().unwrap_or_default();
    let user = one["userId"].as_str().map_or_else(|| "no user in its name".to_owned(), |user| format!("user {user}"));
    let state = one["state"].as_str().unwrap_or("not at Evolution");
    format!("{name}  {user}  {state}  {} webhooks kept", one["quarantined"])
}

async fn update(server: &Server) -> Result<(), Failure> {
    let (mut adopted, mut failed) = (0, 0);
    for one in unowned(server).await?.iter().filter(|one| one["userId"].is_string()) {
        match adopt(server, &json!({"instanceName": one["instanceName"]})).await {
            Ok(()) => adopted += 1,
            Err(cause) => {
                failed += 1;
                say(&format!("{}  {cause:#}", one["instanceName"].as_str().unwrap_or_default()));
            }
        }
    }
    say(&format!("{adopted} adopted, {failed} not"));
    if failed > 0 { Err(Failure::Failed(anyhow::anyhow!("{failed} instances were not adopted"))) } else { Ok(()) }
}

async fn adopt(server: &Server, wanted: &Value) -> anyhow::Result<()> {
    let done = server.post("/api/migration", wanted).await?;
    let text = |name: &str| done[name].as_str().unwrap_or_default().to_owned();
    let counts = ["stored", "duplicates", "unreadable"].map(|name| done[name].as_u64().unwrap_or_default());
    let [stored, duplicates, unreadable] = counts;
    say(&format!(
        "{} belongs to {}  {stored} kept webhooks stored, {duplicates} seen before, {unreadable} unreadable",
        text("instanceName"),
        text("userId")
    ));
    Ok(())
}
