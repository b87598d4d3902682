//! Who gets in, and who doesn't: the identity routes on a real server.

mod front;
mod keys;

use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;
use zapgate::services::identity::IdentityConfig;

use front::{ADMIN, Front, JWT_SECRET, hs256, in_secs};

#[tokio::test]
async fn an_operator_s_token_is_an_operator_and_a_similar_one_is_nobody() {
    let front = Front::start().await;

    let me = front.me(ADMIN).await;
    let (similar, _) =
        front.get("/api/me", &[("authorization", &format!("Bearer {}x", &ADMIN[..ADMIN.len() - 1]))]).await;

    assert_eq!(me, json!({"admin": true, "userId": null, "organizationId": null, "expiresAt": null}));
    assert_eq!(similar, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_one_of_several_operators_tokens_counts() {
    let second = "second-operator-token-0123456789abcdef";
    let front = Front::with(|config| config.admin_token = Some(format!("{ADMIN}, {second}").into())).await;

    assert_eq!(front.me(second).await["admin"], true);
    assert_eq!(front.me(ADMIN).await["admin"], true);
}

#[tokio::test]
async fn without_credentials_the_answer_is_401_and_asks_for_a_bearer() {
    let front = Front::start().await;

    let response = front.http.get(front.url("/api/me")).send().await.unwrap();

    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_user_s_token_names_user_and_organisation() {
    let front = Front::start().await;
    let token = hs256(&json!({"sub": "ana", "exp": in_secs(60), "org_id": "loja"}), JWT_SECRET);

    let me = front.me(&token).await;

    assert_eq!((&me["admin"], &me["userId"], &me["organizationId"]), (&json!(false), &json!("ana"), &json!("loja")));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let front = Front::start().await;
    let good = json!({"sub": "ana", "exp": in_secs(60)});

    for (what, token) in [
        ("another secret", hs256(&good, "another-secret-0123456789abcdef0123")),
        ("no signature", front::unsigned(&good, "none")),
        ("no signature, oddly written", front::unsigned(&good, "nOnE")),
        ("stripped signature", front::unsigned(&good, "HS256")),
        ("HS512", front::signed(&good, JWT_SECRET, jsonwebtoken::Algorithm::HS512)),
        ("an unknown critical extension", front::critical(&good, JWT_SECRET)),
        ("no exp", hs256(&json!({"sub": "ana"}), JWT_SECRET)),
        ("no sub", hs256(&json!({"exp": in_secs(60)}), JWT_SECRET)),
        ("expired", hs256(&json!({"sub": "ana", "exp": in_secs(-61)}), JWT_SECRET)),
        ("text", "nonsense".to_owned()),
        ("nothing", String::new()),
    ] {
        let (status, _) = front.get("/api/me", &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_a_minute_of_leeway_after_its_expiry() {
    let front = Front::start().await;
    let token = hs256(&json!({"sub": "ana", "exp": in_secs(30)}), JWT_SECRET);

    front.clock.advance(Duration::from_mins(1));
    front.me(&token).await;
    front.clock.advance(Duration::from_secs(31));

    let (status, problem) = front.get("/api/me", &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("credentials_expired")));
}

#[tokio::test]
async fn the_backend_mints_tokens_for_its_users() {
    let front = Front::start().await;
    let order = json!({"userId": "auth0|ana", "organizationId": "loja", "ttlS": 60, "scope": "connect messages"});

    let (status, minted) = front.post("/api/tokens", &[("authorization", &front::bearer(ADMIN))], &order).await;

    assert_eq!(status, StatusCode::OK, "{minted}");
    let token = minted["token"].as_str().unwrap();
    assert_eq!(minted["link"], format!("{}/connect.html#token={token}", front.base));
    let me = front.me(token).await;
    assert_eq!((&me["admin"], &me["organizationId"]), (&json!(false), &json!("loja")));
    assert!(me["userId"].as_str().unwrap().starts_with("h-"));
    assert_eq!(me["expiresAt"], minted["expiresAt"]);
}

#[tokio::test]
async fn orders_for_impossible_tokens_are_refused() {
    let front = Front::start().await;
    let ana = front.mint("ana").await;
    let hashed = format!("h-{}", "0123456789abcdef".repeat(2));

    for order in [
        json!({"userId": "ana", "ttlS": 3601}),
        json!({"userId": "ana", "ttlS": 0}),
        json!({"userId": "", "ttlS": 60}),
        json!({"userId": hashed, "ttlS": 60}),
        json!({"userId": "ana", "ttlS": 60, "scope": "root"}),
        json!({"ttlS": 60}),
    ] {
        let (status, _) = front.post("/api/tokens", &[("authorization", &front::bearer(ADMIN))], &order).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{order}");
    }
    let order = json!({"userId": "bob", "ttlS": 60});
    let (status, problem) = front.post("/api/tokens", &[("authorization", &front::bearer(&ana))], &order).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("admin_only")));
}

#[tokio::test]
async fn without_a_configured_secret_minted_tokens_are_good_and_survive_a_restart() {
    let front = Front::with(|config| config.jwt_secret = None).await;
    let token = front.mint("ana").await;

    let restarted = front.restart().await;

    assert_eq!(restarted.me(&token).await["userId"], "ana");
}

#[tokio::test]
async fn after_a_revocation_older_tokens_are_refused_and_newer_ones_work() {
    let front = Front::start().await;
    let (ana, bob) = (front.mint("ana").await, front.mint("bob").await);
    let foreign = hs256(&json!({"sub": "ana", "iat": in_secs(0), "exp": in_secs(60)}), JWT_SECRET);
    let undated = hs256(&json!({"sub": "ana", "exp": in_secs(60)}), JWT_SECRET);
    let mut heard = front.identity.revoked();

    let path = "/api/users/ana/revoke";
    let (status, _) = front.post(path, &[("authorization", &front::bearer(ADMIN))], &json!({})).await;
    let newer = front.mint("ana").await;

    assert_eq!(status, StatusCode::OK);
    assert!(heard.has_changed().unwrap());
    heard.mark_unchanged();
    for old in [&ana, &foreign, &undated] {
        let (status, _) = front.get("/api/me", &[("authorization", &front::bearer(old))]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    front.me(&newer).await;
    front.me(&bob).await;
    let restarted = front.restart().await;
    let (status, _) = restarted.get("/api/me", &[("authorization", &front::bearer(&ana))]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    restarted.me(&newer).await;
}

#[tokio::test]
async fn a_user_may_not_revoke() {
    let front = Front::start().await;
    let ana = front.mint("ana").await;

    let (status, _) = front.post("/api/users/ana/revoke", &[("authorization", &front::bearer(&ana))], &json!({})).await;

    assert_eq!(status, StatusCode::FORBIDDEN);
}

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
    let tampered = format!("{name}=A{}", &value[1..]);
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

#[tokio::test]
async fn credentials_end_with_the_token_or_a_revocation() {
    let front = Front::start().await;
    let caller = front.identity.caller_by_bearer(&front.mint("ana").await).await.unwrap();
    let operator = front.identity.caller_by_bearer(ADMIN).await.unwrap();
    let now = front.clock.now();

    assert!(front.identity.still_good(&caller, now));
    assert!(!front.identity.still_good(&caller, now + Duration::from_hours(1)));
    front.identity.revoke(&operator, caller.user.as_ref().unwrap()).await.unwrap();
    assert!(!front.identity.still_good(&caller, now));
    assert!(front.identity.still_good(&operator, now + Duration::from_hours(1)));
}

#[tokio::test]
async fn failures_are_limited_by_address_and_nobody_else_suffers() {
    let front = Front::start().await;
    let guess = async |address: &str| {
        let headers = [("authorization", "Bearer guess"), ("x-forwarded-for", address)];
        front.get("/api/me", &headers).await.0
    };

    for _ in 0..front::FAILURES_PER_MIN {
        assert_eq!(guess("192.0.2.1").await, StatusCode::UNAUTHORIZED);
    }

    assert_eq!(guess("192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess("198.51.100.9, 192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess("192.0.2.2").await, StatusCode::UNAUTHORIZED);
    let (good, _) =
        front.get("/api/me", &[("authorization", &front::bearer(ADMIN)), ("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!(good, StatusCode::OK);
    let code = front.login_with(&[("x-forwarded-for", "192.0.2.1")], &json!({"code": "guess"})).await;
    assert_eq!(code, Err(StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_caller_who_asks_too_much_is_told_to_wait() {
    let front = Front::start().await;
    let authorization = front::bearer(&front.mint("ana").await);
    let mut refused = None;

    for _ in 0..2_000 {
        let response =
            front.http.get(front.url("/api/me")).header("authorization", &authorization).send().await.unwrap();
        if response.status().as_u16() == 429 {
            refused = Some(response);
            break;
        }
    }

    assert_eq!(refused.expect("no limit").headers()["retry-after"], "1");
    front.me(&front.mint("bob").await).await;
}

#[tokio::test]
async fn a_configured_issuer_is_asked_of_foreign_tokens_and_told_in_our_own() {
    let front = Front::with(|config: &mut IdentityConfig| {
        config.jwt_issuer = Some("https://id.test".to_owned());
        config.jwt_audience = Some("zapgate".to_owned());
    })
    .await;
    let token = |iss: &str, aud: &str| {
        front::bearer(&hs256(&json!({"sub": "ana", "exp": in_secs(60), "iss": iss, "aud": aud}), JWT_SECRET))
    };

    front.me(&front.mint("ana").await).await;
    for (authorization, expected) in [
        (token("https://id.test", "zapgate"), StatusCode::OK),
        (token("https://other.test", "zapgate"), StatusCode::UNAUTHORIZED),
        (token("https://id.test", "other"), StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(front.get("/api/me", &[("authorization", &authorization)]).await.0, expected);
    }
}

#[tokio::test]
async fn a_role_makes_an_operator_only_where_configured() {
    let token = hs256(&json!({"sub": "root", "exp": in_secs(60), "app_metadata": {"role": "owner"}}), JWT_SECRET);
    let configured = Front::with(|config| {
        config.jwt_role_claim = "app_metadata.role".to_owned();
        config.jwt_admin_role = Some("owner".to_owned());
    })
    .await;

    assert_eq!(configured.me(&token).await["admin"], true);
    assert_eq!(Front::start().await.me(&token).await["admin"], false);
}
