//! The port: listening, or shut so that connections are refused while nobody else can take it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::receive;
use crate::simulator::control;
use crate::simulator::engine::Engine;

/// As Evolution: 136 MB (§1.4).
const LARGEST_BODY: usize = 136 << 20;
/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// A taken port.
#[derive(Debug)]
pub(in crate::simulator) struct Door {
    listener: TcpListener,
    pub(in crate::simulator) address: SocketAddr,
}

impl Door {
    /// Takes a port of this machine; 0 for a free one.
    pub(in crate::simulator) fn take(port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }
}

/// Holds the port without listening: who connects is refused.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until `stop`, with pauses in which the port is shut.
pub(in crate::simulator) async fn run(engine: Arc<Engine>, door: Door, workers: usize, stop: CancellationToken) {
    if let Err(fault) = serve(&engine, door, workers, &stop).await {
        error!("the simulated Evolution serves no more: {fault}");
        stop.cancelled().await;
    }
}

async fn serve(engine: &Arc<Engine>, door: Door, workers: usize, stop: &CancellationToken) -> io::Result<()> {
    let Door { mut listener, address } = door;
    loop {
        let server = server(engine, listener, workers)?;
        let handle = server.handle();
        engine.is_listening.send_replace(true);
        let mut shut = engine.is_shut.subscribe();
        let ending = async {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = shut.wait_for(|shut| *shut) => {}
            }
            handle.stop(false).await;
        };
        let (outcome, ()) = tokio::join!(server, ending);
        outcome?;
        if stop.is_cancelled() {
            return Ok(());
        }
        let held = hold(address)?;
        engine.is_listening.send_replace(false);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = shut.wait_for(|shut| !*shut) => {}
        }
        listener = held.listen(BACKLOG)?.into_std()?;
    }
}

fn server(engine: &Arc<Engine>, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let engine = Data::from(Arc::clone(engine));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(engine.clone())
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .configure(control::routes)
            .default_service(web::to(receive))
    });
    let server = server.listen(listener)?.workers(workers).disable_signals().h1_allow_half_closed(false);
    Ok(server.shutdown_timeout(0).run())
}
