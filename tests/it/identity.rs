//! Who gets in, and who doesn't: the identity routes on a real server.

mod front;
mod keys;
mod live;
mod sessions;

use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;
use zapgate::http::limits::LimitsConfig;
use zapgate::services::identity::IdentityConfig;

use front::{ADMIN, Front, JWT_SECRET, hs256, in_secs};

#[tokio::test]
async fn an_operator_s_token_is_an_operator_and_a_similar_one_is_nobody() {
    let front = Front::start().await;

    let me = front.me(ADMIN).await;
    let (similar, _) =
        front.get("/api/me", &[("authorization", &format!("Bearer {}x", &ADMIN[..ADMIN.len() - 1]))]).await;

    assert_eq!(me, json!({"admin": true, "userId": null, "organizationId": null, "expiresAt": null, "demo": false}));
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
    let front = Front::limited(LimitsConfig { rate_failed_auth_per_min: 2, ..LimitsConfig::default() }).await;
    let status = async |token: &str, address: &str| {
        let authorization = front::bearer(token);
        front.get("/api/me", &[("authorization", &authorization), ("x-forwarded-for", address)]).await.0
    };

    assert_eq!(status("guess", "192.0.2.1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("guess", "192.0.2.1").await, StatusCode::UNAUTHORIZED);

    assert_eq!(status("guess", "192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status("guess", "198.51.100.9, 192.0.2.1, 10.0.0.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status("guess", "192.0.2.2").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(ADMIN, "192.0.2.1").await, StatusCode::OK);
    let code = front.login_with(&[("x-forwarded-for", "192.0.2.1")], &json!({"code": "guess"})).await;
    assert_eq!(code, Err(StatusCode::TOO_MANY_REQUESTS));
    let (nobody, _) = front.get("/api/me", &[("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!(nobody, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_caller_who_asks_too_much_is_told_to_wait() {
    let front = Front::limited(LimitsConfig { rate_caller_per_s: 1, ..LimitsConfig::default() }).await;
    let authorization = front::bearer(&front.mint("ana").await);
    let ask = || front.http.get(front.url("/api/me")).header("authorization", &authorization).send();

    let answers = join_all((0..20).map(|_| ask())).await;

    let refused = answers.iter().flatten().find(|answer| answer.status().as_u16() == 429);
    assert_eq!(refused.expect("no limit").headers()["retry-after"], "1");
    front.me(&front.mint("bob").await).await;
}

#[tokio::test]
async fn another_node_learns_of_a_revocation_from_the_store() {
    let here = Front::start().await;
    let there = here.restart().await;
    let token = here.mint("ana").await;
    there.me(&token).await;

    here.post("/api/users/ana/revoke", &[("authorization", &front::bearer(ADMIN))], &json!({})).await;
    there.identity.reload_revocations().await.unwrap();

    let (status, _) = there.get("/api/me", &[("authorization", &front::bearer(&token))]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
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
