//! How connections are served: HTTP by actix, and a WebSocket by a task of its own once its handshake is answered.
//!
//! actix's own server keeps an upgraded connection inside its HTTP machinery, with the buffers of a request and of an
//! answer, for as long as it lasts. Here a request to upgrade is answered by the same app, and if the answer is yes the
//! bare connection is handed to whoever said so ([`Handover`]).

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, HttpMessage, HttpService, Request, Response};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::HttpRequest;
use actix_web::dev::AppConfig;
use actix_web::http::StatusCode;
use bytes::BytesMut;
use futures_util::SinkExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tracing::debug;

/// Serves `app`, of which each worker makes its own, until the server is stopped; requests then get `grace` to end.
///
/// # Errors
/// When the listener can't be taken.
pub fn serve<F, A, S, B>(listener: TcpListener, grace: Duration, app: F) -> io::Result<Server>
where
    F: Fn() -> A + Send + Clone + 'static,
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let builder = Server::build().disable_signals().shutdown_timeout(grace.as_secs().max(1));
    let stopping = builder.graceful_shutdown_signal();
    let connections = move || {
        let stopping = stopping.clone();
        // The app is not told its address: nothing asks for it.
        let web = || map_config(app().into_factory().map_err(|e| e.into().error_response()), |()| AppConfig::default());
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_disconnect_timeout(GOODBYE)
            // A client that vanishes is noticed at once, not when something is next written to it.
            .h1_allow_half_closed(false)
            // Frames are small and must not wait for the acknowledgement of the one before.
            .tcp_nodelay(true)
            .upgrade(upgrades(web()))
            .finish(web())
            .tcp()
    };
    Ok(builder.listen("http", listener, connections)?.run())
}

/// What a connection is given to end in order.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who takes the connection of a request to upgrade. Such a request carries one, to be filled by the handler that
/// answers with 101.
#[derive(Clone, Default)]
pub struct Handover(Rc<Cell<Option<Taker>>>);

/// Is given the connection, and what the client has already sent over it.
type Taker = Box<dyn FnOnce(TcpStream, BytesMut)>;

impl Handover {
    /// The request's; `None` when its connection can't be had, because it is no request to upgrade.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    pub fn to(&self, taker: impl FnOnce(TcpStream, BytesMut) + 'static) {
        self.0.set(Some(Box::new(taker)));
    }
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handover")
    }
}

/// A request to upgrade, and the connection it came over.
type Upgrade = (Request, Framed<TcpStream, Codec>);

/// Answers requests to upgrade by `web`.
fn upgrades<W, B>(
    web: W,
) -> impl ServiceFactory<Upgrade, Config = (), Response = (), Error = actix_http::Error, InitError = W::InitError>
where
    W: ServiceFactory<Request, Config = ()> + 'static,
    W::Error: Into<Response<BoxBody>>,
    W::Response: Into<Response<B>>,
    B: MessageBody,
{
    let web = Rc::new(web);
    fn_factory(move || {
        let web = Rc::clone(&web);
        async move {
            let web = Rc::new(web.new_service(()).await?);
            let gate = Rc::new(Semaphore::new(AT_ONCE));
            Ok(fn_service(move |upgrade| {
                let (web, gate) = (Rc::clone(&web), Rc::clone(&gate));
                async move {
                    pass(&gate).await;
                    if let Err(e) = answer(&*web, upgrade).await {
                        debug!(error = &*e, "a client did not wait for its answer");
                    }
                    Ok(())
                }
            }))
        }
    })
}

/// Requests to upgrade that a worker begins to answer between two looks at everything else it has to do. Thousands may
/// come at once, after a restart say, and nobody's webhook should wait behind all of them.
const AT_ONCE: usize = 4;

/// Waits for this request's turn.
async fn pass(gate: &Semaphore) {
    // It is never closed.
    let _turn = gate.acquire().await;
    yield_now().await;
}

async fn answer<W, B>(web: &W, (request, mut connection): Upgrade) -> Result<(), Box<dyn Error>>
where
    W: Service<Request>,
    W::Error: Into<Response<BoxBody>>,
    W::Response: Into<Response<B>>,
    B: MessageBody,
{
    let handover = Handover::default();
    request.extensions_mut().insert(handover.clone());
    let response = match web.call(request).await {
        Ok(response) => response.into(),
        Err(e) => return refuse(connection, e.into()).await,
    };
    match handover.0.take() {
        Some(taker) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            connection.send(Message::Item((response.drop_body(), BodySize::None))).await?;
            let parts = connection.into_parts();
            taker(parts.io, parts.read_buf);
            Ok(())
        }
        _ => refuse(connection, response).await,
    }
}

/// Sends an answer that is no upgrade. The connection ends with it: what follows the request was meant for another
/// protocol.
async fn refuse<B: MessageBody>(
    mut connection: Framed<TcpStream, Codec>,
    response: Response<B>,
) -> Result<(), Box<dyn Error>> {
    let (mut head, body) = response.into_parts();
    head.head_mut().set_connection_type(ConnectionType::Close);
    connection.send(Message::Item((head, body.size()))).await?;
    let mut body = pin!(body);
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        connection.send(Message::Chunk(Some(chunk.map_err(Into::into)?))).await?;
    }
    connection.send(Message::Chunk(None)).await?;
    Ok(connection.close().await?)
}
