//! Whom the live routes let in: tickets, subprotocols, origins.

use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;

use super::front::{self, ADMIN, Front};

#[tokio::test]
async fn a_ticket_opens_one_socket_on_its_channel() {
    let front = Front::start().await;
    let ana = front.mint("ana").await;
    let ticket = front.ticket(&ana, &[], &json!({})).await.unwrap();

    let (status, live) = front.get(&format!("/live?ticket={ticket}"), &[]).await;
    let (again, _) = front.get(&format!("/live?ticket={ticket}"), &[]).await;

    assert_eq!((status, again), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    assert_eq!((&live["user"], &live["channel"]), (&json!("ana"), &json!("user:ana")));
    assert_eq!(live["expiresAt"], front.me(&ana).await["expiresAt"]);
}

#[tokio::test]
async fn of_many_who_use_one_ticket_or_code_at_once_one_gets_in() {
    let front = Front::start().await;
    let live = format!("/live?ticket={}", front.ticket(&front.mint("ana").await, &[], &json!({})).await.unwrap());
    let code = json!({"code": front.login_code().await});

    let sockets = join_all((0..8).map(|_| front.get(&live, &[]))).await;
    let logins = join_all((0..8).map(|_| front.login(&code))).await;

    assert_eq!(sockets.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
    assert_eq!(logins.iter().filter(|login| login.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_ticket_is_over_after_thirty_seconds() {
    let front = Front::start().await;
    let ticket = front.ticket(&front.mint("ana").await, &[], &json!({})).await.unwrap();

    front.clock.advance(Duration::from_secs(30));

    let (status, _) = front.get(&format!("/live?ticket={ticket}"), &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_ticket_is_good_on_the_page_that_bought_it_only() {
    let front = Front::start().await;
    let ana = front.mint("ana").await;
    let here = [("origin", front::FRONTEND)];
    let used = async |headers: &[(&str, &str)]| {
        let ticket = front.ticket(&ana, &here, &json!({})).await.unwrap();
        front.get(&format!("/live?ticket={ticket}"), headers).await.0
    };

    assert_eq!(used(&here).await, StatusCode::OK);
    assert_eq!(used(&[("origin", &front.base)]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(used(&[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(front.ticket(&ana, &[("origin", "https://evil.test")], &json!({})).await, Err(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn a_ticket_sold_before_a_revocation_is_worth_nothing_after_it() {
    let front = Front::start().await;
    let ticket = front.ticket(&front.mint("ana").await, &[], &json!({})).await.unwrap();

    front.post("/api/users/ana/revoke", &[("authorization", &front::bearer(ADMIN))], &json!({})).await;

    let (status, problem) = front.get(&format!("/live?ticket={ticket}"), &[]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("credentials_expired")));
}

#[tokio::test]
async fn tickets_are_for_one_s_own_channels_and_an_operator_s_for_a_user_makes_no_operator() {
    let front = Front::start().await;
    let ana = front.mint("ana").await;

    assert_eq!(front.ticket(&ana, &[], &json!({"userId": "bob"})).await, Err(StatusCode::FORBIDDEN));
    assert_eq!(front.ticket(&ana, &[], &json!({"channel": "admin"})).await, Err(StatusCode::FORBIDDEN));
    assert_eq!(front.ticket(&ana, &[], &json!({"channel": "other"})).await, Err(StatusCode::BAD_REQUEST));
    let ticket = front.ticket(ADMIN, &[], &json!({"userId": "bob"})).await.unwrap();
    let (_, live) = front.get(&format!("/live?ticket={ticket}"), &[]).await;
    assert_eq!((&live["admin"], &live["user"], &live["channel"]), (&json!(false), &json!("bob"), &json!("user:bob")));
}

#[tokio::test]
async fn a_socket_takes_its_token_from_the_subprotocols_and_selects_ours() {
    let front = Front::start().await;
    let offer = format!("zapgate.v1, bearer.{}", front.mint("ana").await);

    let (_, live) = front.get("/live", &[("sec-websocket-protocol", &offer), ("origin", &front.base)]).await;
    let (without, _) = front.get("/live", &[("sec-websocket-protocol", "zapgate.v1")]).await;

    assert_eq!((&live["user"], &live["protocol"]), (&json!("ana"), &json!("zapgate.v1")));
    assert_eq!(without, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stream_from_a_foreign_page_is_refused_whatever_its_credentials() {
    let front = Front::start().await;
    let authorization = front::bearer(&front.mint("ana").await);

    for origin in ["https://evil.test", "null"] {
        let (status, problem) = front.get("/live", &[("authorization", &authorization), ("origin", origin)]).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("foreign_origin")));
    }
    let (program, live) = front.get("/live", &[("authorization", &authorization)]).await;
    assert_eq!((program, &live["protocol"]), (StatusCode::OK, &json!(null)));
}

#[tokio::test]
async fn a_socket_by_cookie_needs_an_origin_and_a_reading_stream_does_not() {
    let front = Front::start().await;
    let cookie = front.login(&json!({"token": ADMIN})).await.unwrap();
    let pair = ("cookie", front::pair(&cookie));
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];

    let (socket, _) = front.get("/live", &[pair, upgrade[0], upgrade[1]]).await;
    let (from_page, _) = front.get("/live", &[pair, upgrade[0], upgrade[1], ("origin", &front.base)]).await;
    let (stream, _) = front.get("/live", &[pair]).await;

    assert_eq!((socket, from_page, stream), (StatusCode::UNAUTHORIZED, StatusCode::OK, StatusCode::OK));
}
