//! Composition: the only code that sees every floor. `build` opens and wires, `run` waits and then stops in order.

mod lock;
pub mod pumps;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::App as ActixApp;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt;

use self::lock::FolderLock;
use crate::adapters::bus::Bus;
use crate::adapters::clock::{self, Clock};
use crate::adapters::connections;
use crate::adapters::evolution::Evolution;
use crate::adapters::store::Store;
use crate::adapters::tasks::Tasks;
use crate::adapters::tls;
use crate::config::Settings;
use crate::http::api::live::LiveDoor;
use crate::http::api::operations::{ApiDocument, Loops};
use crate::http::door::Door;
use crate::http::span::RequestSpan;
use crate::http::webhook::Intake;
use crate::http::{self, Extras, assets, cors, panics, problem, server, sockets};
use crate::services::hub::Hub;
use crate::services::identity::Identity;
use crate::services::ingest::disk::DiskGauge;
use crate::services::ingest::proof::Proofs;
use crate::services::ingest::{Ingest, retention, wake};
use crate::services::instances::Instances;
use crate::services::live::Live;
use crate::services::supervisor::{self, News, Registration, Supervisor};
use crate::services::tail::Tail;

/// A server, wired and ready to run.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    listener: TcpListener,
    address: SocketAddr,
    store: Store,
    /// Sockets and whatever feeds them: told to stop first.
    front: Tasks,
    /// The writer and its housekeeping: told to stop when nothing new can come in.
    back: Tasks,
    parts: Parts,
    /// An operator's token made for this run, when none was configured.
    made_admin: Option<SecretString>,
    lock: FolderLock,
    extras: Option<Extras>,
}

/// What handlers are given; made once, shared by all workers.
#[derive(Clone, Debug)]
struct Parts {
    store: Data<Store>,
    clock: Data<Clock>,
    door: Data<Door>,
    identity: Data<Identity>,
    instances: Data<Instances>,
    intake: Data<Intake>,
    hub: Data<Hub>,
    live: Data<LiveDoor>,
    tail: Data<Tail>,
    document: Data<ApiDocument>,
    loops: Data<Loops>,
    origins: Arc<[String]>,
}

/// Between two sweeps of the rate limits' maps.
const SWEEP: Duration = Duration::from_mins(1);

impl App {
    /// Opens the store and wires everything; any failure here is a failure to start.
    ///
    /// # Errors
    /// When the folder is in use by another process, or the store can't be opened or migrated.
    pub async fn build(settings: Settings, listener: TcpListener) -> anyhow::Result<Self> {
        Self::build_with(settings, listener, Clock::system(), sockets::Patience::default()).await
    }

    /// As [`App::build`], with a clock and a patience of the caller's, so that tests need not wait.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_with(
        mut settings: Settings,
        listener: TcpListener,
        clock: Clock,
        patience: sockets::Patience,
    ) -> anyhow::Result<Self> {
        tls::install();
        let address = listener.local_addr()?;
        let path = settings.database_path().map_err(anyhow::Error::msg)?;
        let lock = FolderLock::take(&path)?;
        let store = Store::open(&path).await?;
        let (front, back) = (Tasks::default(), Tasks::default());
        let made_admin = ensure_operator(&mut settings, address);
        let epoch = lock.mark(&store).await?;
        let bus = Bus::default();
        let disk = DiskGauge::open(store.clone(), settings.ingest.disk_floor_percent).await;
        back.spawn("checkpoints", |stop| store.clone().keep_checkpointing(stop));
        back.spawn("disk", |stop| disk.clone().watch(stop));
        let ingest = Ingest::start(&settings.ingest, store.clone(), bus.clone(), clock.clone(), disk, &back).await?;
        let news = News::default();
        let evolution = Evolution::new(&settings.evolution, clock.clone())?;
        let instances =
            Instances::load(store.clone(), ingest.clone(), clock.clone(), news.clone(), evolution.clone()).await?;
        let hub = Hub::new(settings.hub.clone());
        back.spawn("pump", |stop| pumps::bus_to_hub(bus.subscribe(), hub.clone(), clock.clone(), stop));
        back.spawn("retention", |stop| {
            retention::run(store.clone(), clock.clone(), settings.retention.clone(), ingest.quarantine().clone(), stop)
        });
        back.spawn("census", |stop| pumps::census_to_log(hub.clone(), stop));
        back.spawn("wake", |stop| wake::run(store.clone(), clock.clone(), ingest.clone(), stop));
        let identity = Data::new(Identity::open(&settings.identity, store.clone(), clock.clone()).await?);
        let door = Data::new(Door::new(&settings.door, settings.limits));
        back.spawn("limits", |stop| sweep_limits(door.clone(), stop));
        let proofs = Arc::new(Proofs::new(&settings.proof, webhook_secrets(&settings, &store).await?));
        back.spawn("news", |stop| supervisor::tell_news(bus.subscribe(), news.clone(), stop));
        if let Some(evolution) = evolution {
            let base = settings.webhook_base(address).trim_end_matches('/').to_owned();
            let supervisor = Supervisor {
                store: store.clone(),
                ingest: ingest.clone(),
                clock: clock.clone(),
                evolution,
                registration: Registration { base, proofs: Arc::clone(&proofs) },
                quiet: settings.supervisor.quiet(),
                news,
            };
            front.spawn("supervisor", |stop| supervisor.run(stop));
        }
        let live = Arc::new(Live::new(hub.clone(), store.clone(), clock.clone(), epoch.clone()));
        let tail = Tail::new(store.clone(), epoch, ingest.committed(), front.stopping());
        let intake = Intake::new(&settings.ingest, ingest, proofs, instances.clone(), store.clone(), clock.clone());
        let parts = Parts {
            store: Data::new(store.clone()),
            clock: Data::new(clock.clone()),
            origins: settings.door.origins().into(),
            door,
            identity,
            instances: Data::new(instances),
            intake: Data::new(intake),
            hub: Data::new(hub),
            live: Data::new(LiveDoor { live, tasks: front.clone(), stop: front.stopping(), patience }),
            tail: Data::new(tail),
            document: Data::new(ApiDocument(http::openapi_document(None)?)),
            loops: Data::new(Loops { front: front.clone(), back: back.clone() }),
        };
        Ok(Self { settings, listener, address, store, front, back, parts, made_admin, lock, extras: None })
    }

    /// Adds routes, which then are in the document too.
    ///
    /// # Errors
    /// Never in practice: the document is made of plain data.
    pub fn with_extras(mut self, extras: Extras) -> anyhow::Result<Self> {
        self.parts.document = Data::new(ApiDocument(http::openapi_document(Some(&extras))?));
        self.extras = Some(extras);
        Ok(self)
    }

    /// Serves until `stop` is done, then stops in order: no new sockets and requests, sockets closed with 1001,
    /// what was accepted committed, files closed.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let grace = self.settings.shutdown_grace();
        let (parts, extras) = (self.parts, self.extras);
        connections::give_up_stalled(&self.listener, parts.live.patience.write)
            .context("limiting stalled connections")?;
        let server = server::serve(self.listener, grace, move || {
            ActixApp::new()
                .wrap(from_fn(panics::catch))
                .wrap(cors::allowing(&parts.origins))
                .wrap(from_fn(cors::explained))
                .wrap(http::hardening())
                .wrap(TracingLogger::<RequestSpan>::new())
                .into_utoipa_app()
                .configure(http::routes)
                .configure(|cfg| http::mount(cfg, extras.as_ref()))
                .into_app()
                .app_data(parts.store.clone())
                .app_data(parts.clock.clone())
                .app_data(parts.door.clone())
                .app_data(parts.identity.clone())
                .app_data(parts.instances.clone())
                .app_data(parts.intake.clone())
                .app_data(parts.hub.clone())
                .app_data(parts.live.clone())
                .app_data(parts.tail.clone())
                .app_data(parts.document.clone())
                .app_data(parts.loops.clone())
                .app_data(problem::json_config())
                .app_data(problem::query_config())
                .app_data(problem::path_config())
                .default_service(web::to(assets::file_or_problem))
        })
        .context("taking the listener")?;
        let handle = server.handle();
        let front = self.front.clone();
        let stopping = async {
            stop.await;
            info!("stopping");
            let deadline = Instant::now() + grace;
            front.cancel();
            // Half: a client that takes no goodbye must not use up what those have who wait for an answer.
            front.join(grace / 2).await;
            if timeout_at(deadline, handle.stop(true)).await.is_err() {
                warn!("connections are cut off that did not end in time");
            }
        };
        let outcome = tokio::select! {
            outcome = server => outcome,
            () = stopping => Ok(()),
        };
        self.back.cancel();
        if self.back.join(grace).await {
            if let Err(e) = self.lock.mark(&self.store).await {
                warn!("the database keeps its mark: a copy taken during this run would pass for it: {e:#}");
            }
            self.store.close().await;
            info!("stopped; everything that was accepted is on disk");
        }
        outcome.context("serving")
    }

    /// Says where it listens; and, once and on a terminal only, the operator's token made for this run.
    pub fn announce(&self) {
        info!(address = %self.address, "zapgate listens on http://{}", self.address);
        if let Some(token) = &self.made_admin
            && std::io::IsTerminal::is_terminal(&std::io::stderr())
        {
            use std::io::Write;
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "\n  No ADMIN_TOKEN is set. For this run it is:\n\n    {}\n", token.expose_secret());
        }
    }

    /// Where a client on this machine finds the server.
    pub fn local_url(&self) -> String {
        self.settings.local_url(self.address)
    }

    /// A code that signs an operator in once.
    ///
    /// # Errors
    /// When it can't be stored.
    pub async fn login_code(&self, ttl: Duration) -> anyhow::Result<String> {
        Ok(self.parts.identity.make_login_code(ttl).await?.expose_secret().to_owned())
    }

    /// The owner of work that should end when the server begins to stop.
    pub fn tasks(&self) -> Tasks {
        self.front.clone()
    }
}

/// On loopback an operator's token is made when none is set, so that the first try needs no configuration.
fn ensure_operator(settings: &mut Settings, address: SocketAddr) -> Option<SecretString> {
    if settings.identity.admin_tokens().next().is_some() || !address.ip().is_loopback() {
        return None;
    }
    let token = SecretString::from(random_text::<32>());
    settings.identity.admin_token = Some(token.clone());
    Some(token)
}

/// The configured secrets, or the one made at the first start.
async fn webhook_secrets(settings: &Settings, store: &Store) -> anyhow::Result<Vec<SecretString>> {
    let configured: Vec<SecretString> = settings.proof.webhook_secret.clone();
    if configured.iter().any(|secret| !secret.expose_secret().is_empty()) {
        return Ok(configured);
    }
    let made = store.setting_or("webhook_secret", &random_text::<32>()).await?;
    if made.is_empty() {
        bail!("the stored webhook secret is empty");
    }
    Ok(vec![SecretString::from(made)])
}

fn random_text<const N: usize>() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(clock::random_bytes::<N>())
}

async fn sweep_limits(door: Data<Door>, stop: tokio_util::sync::CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        door.limits.sweep();
    }
}

/// Runs `work` to its end on a runtime that servers can be started in.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

/// Listens from now on for being asked to stop (Ctrl+C, or SIGTERM); what comes back ends when it happens. To be called
/// before anybody can know that the server is there.
///
/// # Errors
/// When the system refuses a handler.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
