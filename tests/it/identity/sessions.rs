//! The dashboard's session: login, cookie, logout.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::json;

use super::front::{self, ADMIN, Front};

#[tokio::test]
async fn a_login_code_signs_in_once_and_the_cookie_survives_a_restart() {
    let front = Front::start().await;
    let code = front.login_code().await;

    let cookie = front.login(&json!({"code": code})).await.unwrap();
    let again = front.login(&json!({"code": code})).await;

    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(again, Err(StatusCode::UNAUTHORIZED));
    let restarted = front.restart().await;
    let (status, me) = restarted.get("/api/me", &[("cookie", front::pair(&cookie))]).await;
    assert_eq!((status, &me["admin"]), (StatusCode::OK, &json!(true)));
}

#[tokio::test]
async fn a_login_code_is_over_after_its_time() {
    let front = Front::start().await;
    let code = front.login_code().await;

    front.clock.advance(Duration::from_mins(10));

    assert_eq!(front.login(&json!({"code": code})).await, Err(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_after_eight_hours_at_the_latest() {
    let front = Front::start().await;
    let ana = front.login(&json!({"token": front.mint("ana").await})).await.unwrap();
    let admin = front.login(&json!({"token": ADMIN})).await.unwrap();
    let status_of = async |cookie: &str| front.get("/api/me", &[("cookie", front::pair(cookie))]).await.0;

    assert!(ana.contains("Max-Age=") && admin.contains("Max-Age=28800"), "{ana} {admin}");
    front.clock.advance(Duration::from_secs(3601));
    assert_eq!((status_of(&ana).await, status_of(&admin).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    front.clock.advance(Duration::from_hours(7));
    assert_eq!(status_of(&admin).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_the_operator_s_token_that_began_it_is_taken_back() {
    let front = Front::start().await;
    let cookie = front.login(&json!({"token": ADMIN})).await.unwrap();
    let headers = [("cookie", front::pair(&cookie))];
    let other = "another-operator-token-0123456789abcdef";

    let both = front.restart_with(|config| config.admin_token = Some(format!("{other},{ADMIN}").into())).await;
    let rotated = front.restart_with(|config| config.admin_token = Some(other.into())).await;

    assert_eq!(both.get("/api/me", &headers).await.0, StatusCode::OK);
    assert_eq!(rotated.get("/api/me", &headers).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_cookie_acts_only_for_pages_of_ours() {
    let front = Front::start().await;
    let cookie = front.login(&json!({"token": ADMIN})).await.unwrap();
    let pair = front::pair(&cookie);
    let order = json!({"userId": "ana", "ttlS": 60});
    let post = async |origin: Option<&str>| {
        let mut headers = vec![("cookie", pair)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        front.post("/api/tokens", &headers, &order).await.0
    };

    assert_eq!(post(Some(&front.base)).await, StatusCode::OK);
    assert_eq!(post(Some(front::FRONTEND)).await, StatusCode::OK);
    assert_eq!(post(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(Some("null")).await, StatusCode::FORBIDDEN);
    assert_eq!(post(Some("https://evil.test")).await, StatusCode::FORBIDDEN);
    let (status, _) = front.get("/api/me", &[("cookie", pair), ("origin", "https://evil.test")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_cookie_that_was_tampered_with_is_no_cookie() {
    let front = Front::start().await;
    let cookie = front.login(&json!({"token": ADMIN})).await.unwrap();
    let (name, value) = front::pair(&cookie).split_once('=').unwrap();
    let other = if value.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{name}={other}{}", &value[1..]);
    let plain = format!(r#"{name}={{"admin":true,"issued_at":0}}"#);

    for bad in [tampered, plain] {
        let (status, _) = front.get("/api/me", &[("cookie", &bad)]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{bad}");
    }
}

#[tokio::test]
async fn over_https_the_cookie_is_for_https_only() {
    let front = Front::start().await;

    let headers = [("x-forwarded-proto", "https")];
    let cookie = front.login_with(&headers, &json!({"token": ADMIN})).await.unwrap();

    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_foreign_page_can_neither_sign_in_nor_out() {
    let front = Front::start().await;
    let headers = [("origin", "https://evil.test")];

    let signed_in = front.login_with(&headers, &json!({"token": ADMIN})).await;
    let (signed_out, _) = front.post("/api/logout", &headers, &json!({})).await;

    assert_eq!((signed_in, signed_out), (Err(StatusCode::FORBIDDEN), StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn signing_out_makes_the_browser_forget() {
    let front = Front::start().await;

    let response = front.http.post(front.url("/api/logout")).send().await.unwrap();

    assert_eq!(response.status().as_u16(), 204);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("zapgate_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
}

#[tokio::test]
async fn login_needs_exactly_one_of_token_and_code() {
    let front = Front::start().await;

    for body in [json!({}), json!({"token": ADMIN, "code": "x"})] {
        assert_eq!(front.login(&body).await, Err(StatusCode::BAD_REQUEST), "{body}");
    }
}
