//! Every door, tried by everybody who has no business there (INTERFACE §2, §4).

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use futures_util::StreamExt;
use jsonwebtoken::{EncodingKey, Header, encode};

use crate::app::{ADMIN, Answer, JWT_SECRET, TestApp, answer};

const FRONTEND: &str = "https://app.example.com";

/// Whom nobody needs to know to answer. Signing out only makes a browser forget.
const PUBLIC: [&str; 5] = ["GET /health", "GET /ready", "GET /openapi.json", "POST /api/login", "POST /api/logout"];

/// What a user may ask for; everything else is an operator's.
const USERS: [&str; 12] = [
    "POST /api/whatsapp/connect",
    "GET /api/whatsapp/instance",
    "DELETE /api/whatsapp/instance",
    "POST /api/whatsapp/reconnect",
    "POST /api/whatsapp/disconnect",
    "POST /api/whatsapp/scanned",
    "GET /api/instances",
    "GET /api/health/instances",
    "GET /ws",
    "GET /events",
    "POST /api/ws/ticket",
    "GET /api/me",
];

/// Every method and path of the document, parameters filled in.
async fn all_doors(app: &TestApp) -> Vec<(String, String)> {
    let document = answer(app.http.get(format!("{}/openapi.json", app.url))).await.json;
    let mut doors = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let mut filled = path.clone();
        while let Some((before, rest)) = filled.split_once('{') {
            filled = format!("{before}1{}", rest.split_once('}').unwrap().1);
        }
        let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
        doors.extend(methods.map(|method| (method.to_uppercase(), filled.clone())));
    }
    assert!(doors.len() > 25, "{doors:?}");
    doors
}

fn with_headers(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

async fn send(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = app.http.request(method.parse().unwrap(), format!("{}{path}", app.url));
    answer(with_headers(request, headers)).await
}

/// A token with more claims than the usual ones.
fn token_with(app: &TestApp, more: &Value) -> String {
    let now = app.clock.now().as_secs();
    let mut claims = json!({"sub": "ana", "iat": now, "exp": now + 3600});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens `/ws` with these headers alone.
async fn upgrade(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Result<(Stream, Response), u16> {
    let url = format!("{}/ws?{query}", app.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let name: tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok(opened) => Ok(opened),
        Err(tungstenite::Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

async fn hello(stream: &mut Stream) -> Value {
    match tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap() {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        other => panic!("wanted hello, got {other:?}"),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[actix_web::test]
async fn without_credentials_every_door_but_the_public_ones_is_closed() {
    let app = TestApp::start().await;

    for (method, path) in all_doors(&app).await {
        for headers in [&[][..], &[("authorization", "Bearer nonsense")], &[("cookie", "zapgate_session=forged")]] {
            let answer = send(&app, &method, &path, headers).await;
            let door = format!("{method} {path}");
            if PUBLIC.contains(&door.as_str()) {
                assert_ne!(answer.status, 401, "{door}");
            } else {
                assert!([401, 429].contains(&answer.status), "{door} {headers:?}: {} {}", answer.status, answer.json);
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{door}");
            }
        }
    }
    for page in ["/", "/js/main.js"] {
        assert_eq!(send(&app, "GET", page, &[]).await.status, 200, "{page}");
    }
}

#[actix_web::test]
async fn a_user_s_token_opens_no_operator_s_door() {
    let app = TestApp::start().await;
    let token = app.token("ana", Some("acme"));

    for (method, path) in all_doors(&app).await {
        let door = format!("{method} {path}");
        let webhook = path.starts_with("/api/webhook/") && path != "/api/webhook/test";
        if webhook || PUBLIC.contains(&door.as_str()) || USERS.contains(&door.as_str()) {
            continue;
        }
        let refused = app.asks(&token, &method, &path, Value::Null).await;
        assert_eq!((refused.status, refused.code()), (403, "admin_only"), "{door}");
    }
}

#[actix_web::test]
async fn another_s_user_or_organisation_is_not_yours_in_body_or_query_wherever_it_stands() {
    let app = TestApp::start().await;
    app.user_in("bob", "other").await;
    let token = app.token("ana", Some("acme"));
    let ask = |method: &'static str, path: String, body: Value| {
        let (app, token) = (&app, &token);
        async move { app.asks(token, method, &path, body).await }
    };

    let mut refused = Vec::new();
    for name in ["userId=bob", "organizationId=other", "userId=", "user%49d=bob"] {
        for (method, path) in [
            ("POST", "/api/whatsapp/connect"),
            ("GET", "/api/whatsapp/instance"),
            ("GET", "/api/instances"),
            ("GET", "/ws"),
            ("GET", "/events"),
            ("POST", "/api/ws/ticket"),
            ("GET", "/api/me"),
        ] {
            refused.push((format!("{method} {path}?{name}"), ask(method, format!("{path}?{name}"), Value::Null).await));
        }
    }
    for body in [
        json!({"userId": "bob"}),
        json!({"organizationId": "other"}),
        json!({"channel": "org", "userId": "bob"}),
        json!({"channel": "org", "organizationId": "other"}),
    ] {
        for path in ["/api/whatsapp/connect", "/api/ws/ticket"] {
            refused.push((format!("{path} {body}"), ask("POST", path.to_owned(), body.clone()).await));
        }
    }

    for (what, answer) in refused {
        assert_eq!((answer.status, answer.code()), (403, "not_yours"), "{what}: {}", answer.json);
    }
    let twice = ask("POST", "/api/whatsapp/connect?userId=ana&userId=bob".to_owned(), Value::Null).await;
    assert!([400, 403].contains(&twice.status), "{}", twice.json);
    let own =
        ask("POST", "/api/whatsapp/connect?userId=ana&organizationId=acme".to_owned(), json!({"userId": "ana"})).await;
    assert_eq!((own.status, &own.json["instance"]["organizationId"]), (200, &json!("acme")));
}

#[actix_web::test]
async fn another_tenant_s_instance_looks_as_if_it_were_not_there() {
    let app = TestApp::start().await;
    app.user_in("bob", "other").await;
    let ana = app.token("ana", Some("acme"));

    let theirs = app.asks(&ana, "GET", "/api/instances/user_bob", Value::Null).await;
    let absent = app.asks(&ana, "GET", "/api/instances/user_nobody", Value::Null).await;
    let own = app.asks(&ana, "GET", "/api/whatsapp/instance", Value::Null).await;
    let list = app.asks(&ana, "GET", "/api/instances", Value::Null).await;

    assert_eq!((theirs.status, theirs.json), (absent.status, absent.json));
    assert_eq!((own.status, own.code()), (404, "not_found"));
    assert_eq!(list.json, json!({"items": [], "nextCursor": null}));
}

#[actix_web::test]
async fn a_scoped_token_does_what_its_scope_says() {
    let app = TestApp::start().await;
    let code = |scope: &str, method: &'static str, path: &'static str| {
        let token = token_with(&app, &json!({"scope": scope}));
        let app = &app;
        async move { app.asks(&token, method, path, Value::Null).await.code().to_owned() }
    };

    assert_eq!(code("connect", "POST", "/api/whatsapp/connect").await, "");
    assert_eq!(code("messages", "POST", "/api/whatsapp/connect").await, "scope_missing");
    assert_eq!(code("sessions", "POST", "/api/whatsapp/connect").await, "scope_missing");
    assert_eq!(code("openid", "POST", "/api/whatsapp/connect").await, "scope_missing");
    assert_eq!(code("sessions", "GET", "/ws").await, "scope_missing");
    assert_eq!(code("admin", "GET", "/api/dead-letters").await, "admin_only");
}

#[actix_web::test]
async fn a_revocation_closes_sockets_at_once_and_refuses_the_token() {
    let app = TestApp::start().await;
    let token = app.token("ana", None);
    let (mut ana, mut bob) = (app.listen("ana").await, app.listen("bob").await);
    let began = Instant::now();

    let revoked = app.as_admin("POST", "/api/users/ana/revoke", Value::Null).await;
    let code = ana.closed().await;

    assert_eq!((revoked.status, code), (200, 4001));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(app.asks(&token, "GET", "/api/me", Value::Null).await.code(), "credentials_expired");
    bob.send(r#"{"type":"ping"}"#).await;
    assert_eq!(bob.next().await["type"], "pong");
}

#[actix_web::test]
async fn a_token_that_ends_takes_its_socket_along() {
    let app = TestApp::start().await;
    let now = app.clock.now().as_secs();
    // Good by the leeway alone, for about a second more.
    let token = token_with(&app, &json!({"exp": now - 58}));

    let (mut stream, _) = upgrade(&app, "", &[("authorization", &format!("Bearer {token}"))]).await.unwrap();
    hello(&mut stream).await;
    let end = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap();

    assert!(matches!(end, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 4001));
}

#[actix_web::test]
async fn the_cookie_counts_for_our_own_pages_only() {
    let app = TestApp::start_with(|settings| settings.door.frontend_url = vec![FRONTEND.to_owned()]).await;
    app.user("ana").await;
    let login = app.http.post(format!("{}/api/login", app.url)).json(&json!({"token": app.token("ana", None)}));
    let signed_in = answer(login.header("origin", &app.url)).await;
    let set = header(&signed_in.headers, "set-cookie").unwrap().to_owned();
    let cookie = set.split(';').next().unwrap();

    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Domain") && !set.contains(&app.token("ana", None)), "{set}");
    let own = app.url.clone();
    let port_beside = format!("{own}1");
    for (origin, reading, doing, socket) in [
        (Some(own.as_str()), 200, 200, None),
        (Some(FRONTEND), 200, 200, None),
        (None, 200, 401, Some(401)),
        (Some("null"), 403, 403, Some(403)),
        (Some("https://evil.example"), 403, 403, Some(403)),
        (Some("https://app.example.com.evil.example"), 403, 403, Some(403)),
        (Some(port_beside.as_str()), 403, 403, Some(403)),
    ] {
        let mut headers = vec![("cookie", cookie)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        assert_eq!(send(&app, "GET", "/api/me", &headers).await.status, reading, "{origin:?}");
        assert_eq!(send(&app, "POST", "/api/whatsapp/connect", &headers).await.status, doing, "{origin:?}");
        assert_eq!(upgrade(&app, "", &headers).await.err(), socket, "{origin:?}");
    }
    let foreign = app.http.post(format!("{}/api/login", app.url)).json(&json!({"token": ADMIN}));
    assert_eq!(answer(foreign.header("origin", "https://evil.example")).await.code(), "foreign_origin");
    app.as_admin("POST", "/api/users/ana/revoke", Value::Null).await;
    assert_eq!(send(&app, "GET", "/api/me", &[("cookie", cookie)]).await.status, 401);
}

#[actix_web::test]
async fn a_ticket_opens_one_socket_of_its_own_page_within_thirty_seconds() {
    let app = TestApp::start_with(|settings| settings.door.frontend_url = vec![FRONTEND.to_owned()]).await;
    app.user("ana").await;
    let bearer = format!("Bearer {}", app.token("ana", None));
    let buy = || async {
        let sold = send(&app, "POST", "/api/ws/ticket", &[("authorization", &bearer), ("origin", FRONTEND)]).await;
        format!("ticket={}", sold.json["ticket"].as_str().unwrap())
    };
    let page = [("origin", FRONTEND)];

    let ticket = buy().await;
    let (mut stream, _) = upgrade(&app, &ticket, &page).await.unwrap();
    assert_eq!(hello(&mut stream).await["data"]["instance"]["userId"], "ana");
    assert_eq!(upgrade(&app, &ticket, &page).await.err(), Some(401));

    assert_eq!(upgrade(&app, &buy().await, &[("origin", app.url.as_str())]).await.err(), Some(401));
    assert_eq!(upgrade(&app, &buy().await, &[]).await.err(), Some(401));
    assert_eq!(upgrade(&app, &buy().await, &[("origin", "https://evil.example")]).await.err(), Some(403));
    assert_eq!(upgrade(&app, "ticket=guess", &page).await.err(), Some(401));

    let narrow = format!("channel=admin&{}", buy().await);
    let (mut stream, _) = upgrade(&app, &narrow, &page).await.unwrap();
    assert_eq!(hello(&mut stream).await["data"]["instance"]["userId"], "ana");

    let slow = buy().await;
    app.clock.advance(Duration::from_secs(31));
    assert_eq!(upgrade(&app, &slow, &page).await.err(), Some(401));
}

#[actix_web::test]
async fn a_browser_may_send_its_token_as_a_subprotocol() {
    let app = TestApp::start().await;
    let token = app.token("ana", None);

    let (mut stream, response) =
        upgrade(&app, "", &[("sec-websocket-protocol", &format!("zapgate.v1, bearer.{token}"))]).await.unwrap();

    assert_eq!(response.headers()["sec-websocket-protocol"], "zapgate.v1");
    assert_eq!(hello(&mut stream).await["type"], "hello");
    let foreign =
        [("sec-websocket-protocol", &*format!("zapgate.v1, bearer.{token}")), ("origin", "https://evil.example")];
    assert_eq!(upgrade(&app, "", &foreign).await.err(), Some(403));
    assert_eq!(upgrade(&app, "", &[("sec-websocket-protocol", "zapgate.v1, bearer.a.b.c")]).await.err(), Some(401));
}

#[actix_web::test]
async fn other_origins_are_told_nothing_unless_they_are_the_frontend() {
    let app = TestApp::start_with(|settings| settings.door.frontend_url = vec![FRONTEND.to_owned()]).await;
    let bearer = format!("Bearer {}", app.token("ana", None));
    let preflight = [("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")];

    for (origin, allowed) in [(FRONTEND, Some(FRONTEND)), ("https://evil.example", None), ("null", None)] {
        let asked = send(&app, "GET", "/api/me", &[("authorization", &bearer), ("origin", origin)]).await;
        let mut headers = preflight.to_vec();
        headers.push(("origin", origin));
        let before = send(&app, "OPTIONS", "/api/whatsapp/connect", &headers).await;
        for answer in [&asked, &before] {
            assert_eq!(header(&answer.headers, "access-control-allow-origin"), allowed, "{origin} {}", answer.status);
        }
        if before.status >= 400 {
            assert_eq!(header(&before.headers, "content-type"), Some("application/problem+json"), "{}", before.json);
        }
    }
}

#[actix_web::test]
async fn no_answer_of_the_api_stays_in_a_cache_or_passes_for_a_page() {
    let app = TestApp::start().await;
    let bearer = format!("Bearer {ADMIN}");
    let token = app.as_admin("POST", "/api/tokens", json!({"userId": "ana"})).await;
    let ticket = app.as_admin("POST", "/api/ws/ticket", json!({"userId": "ana"})).await;
    let login = answer(app.http.post(format!("{}/api/login", app.url)).json(&json!({"token": ADMIN}))).await;
    let made = app.user("ana").await;
    let absent = send(&app, "GET", "/nowhere", &[("authorization", &bearer)]).await;
    let refused = send(&app, "GET", "/api/me", &[]).await;

    for answer in [token, ticket, login, made, absent, refused] {
        assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"), "{}", answer.json);
        assert_eq!(header(&answer.headers, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&answer.headers, "referrer-policy"), Some("no-referrer"));
    }
    assert_eq!(header(&send(&app, "GET", "/", &[]).await.headers, "cache-control"), Some("no-cache"));
}

#[actix_web::test]
async fn guesses_are_slowed_down_and_the_rightful_caller_is_not() {
    let app = TestApp::start_with(|settings| settings.limits.rate_failed_auth_per_min = 3).await;

    let mut guesses = Vec::new();
    for n in 0..5 {
        guesses.push(app.asks(&format!("guess-{n}"), "GET", "/api/me", Value::Null).await.status);
    }
    let forwarded = [("authorization", "Bearer guess"), ("x-forwarded-for", "203.0.113.9")];

    assert_eq!(guesses, [401, 401, 401, 429, 429]);
    assert_eq!(send(&app, "GET", "/api/me", &forwarded).await.status, 429, "an unknown proxy is not believed");
    assert_eq!(app.as_admin("GET", "/api/me", Value::Null).await.status, 200);
}

#[actix_web::test]
async fn an_unknown_address_or_method_is_a_problem_too() {
    let app = TestApp::start().await;

    for (method, path, status, code) in [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
        ("GET", "/%2e%2e/%2e%2e/Cargo.toml", 404, "not_found"),
        ("GET", "/js/..%2f..%2fCargo.toml", 404, "not_found"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("TRACE", "/api/me", 405, "method_not_allowed"),
        ("GET", "/api/webhook/evolution", 405, "method_not_allowed"),
    ] {
        let answer = send(&app, method, path, &[]).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}: {}", answer.json);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}
