//! `zapgate token`: a user's token, signed with `JWT_SECRET`; needs no running server.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Failure, say};
use crate::adapters::clock::Clock;
use crate::config::Settings;
use crate::domain::caller::Scope;
use crate::services::identity::{self, TokenRequest};

/// The options `--help` shows: the command's own, and the settings that shape a token.
const SHOWN: [&str; 12] = [
    "user",
    "org",
    "admin",
    "session",
    "scope",
    "ttl",
    "jwt_secret",
    "jwt_issuer",
    "jwt_audience",
    "jwt_org_claim",
    "jwt_role_claim",
    "jwt_admin_role",
];

#[derive(Clone, Debug, clap::Args)]
// Every other setting is taken, so that one environment serves all commands, but has no say here.
#[command(mut_args(|arg| if SHOWN.contains(&arg.get_id().as_str()) { arg } else { arg.hide(true) }))]
pub(super) struct TokenArgs {
    /// The user the token is for: its `sub`.
    #[arg(long)]
    user: String,
    /// The user's organisation.
    #[arg(long)]
    org: Option<String>,
    /// Make it an operator's token; needs `JWT_ADMIN_ROLE`.
    #[arg(long)]
    admin: bool,
    /// The one stored session the token may back up and restore.
    #[arg(long)]
    session: Option<String>,
    /// What it may do: connect, messages, sessions. All but sessions when absent.
    #[arg(long, value_parser = parse_scope)]
    scope: Vec<Scope>,
    /// How long it is good: 30s, 15m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = parse_ttl)]
    ttl: Duration,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: TokenArgs) -> Result<(), Failure> {
    let faults = args.settings.check().faults;
    if !faults.is_empty() {
        return Err(Failure::Usage(faults));
    }
    if args.admin && args.settings.identity.jwt_admin_role.is_none() {
        let fault =
            "JWT_ADMIN_ROLE: is not set, so no token can be an operator's; example: JWT_ADMIN_ROLE=zapgate_admin";
        return Err(Failure::Usage(vec![String::from(fault)]));
    }
    if args.settings.identity.jwt_secret.is_none() {
        let fault = "JWT_SECRET: is not set, so there is nothing to sign with; example: JWT_SECRET=$(openssl rand -hex 32), \
                     the same for the server. Without it, ask the server: POST /api/tokens";
        return Err(Failure::Usage(vec![String::from(fault)]));
    }
    let request = TokenRequest {
        subject: args.user,
        org: args.org,
        ttl: args.ttl,
        scopes: (!args.scope.is_empty()).then(|| args.scope.into_iter().collect::<BTreeSet<_>>()),
        session: args.session,
        admin: args.admin,
    };
    let minted = identity::mint_at_shell(&args.settings.identity, &request, Clock::system().now())?;
    say(minted.token.expose_secret());
    Ok(())
}

fn parse_scope(raw: &str) -> Result<Scope, String> {
    Scope::parse(raw).ok_or_else(|| String::from("must be connect, messages or sessions"))
}

fn parse_ttl(raw: &str) -> Result<Duration, String> {
    let wrong = || String::from("must be a number and s, m, h or d, for example 1h");
    let (number, unit) = raw.split_at(raw.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).filter(|secs| *secs > 0).map(Duration::from_secs).ok_or_else(wrong)
}
