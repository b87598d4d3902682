//! "Conectar WhatsApp" and what is shown of instances (INTERFACE §3 "Instances").

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{ADMIN, TestApp, answer};
use crate::recorded;

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&app.database().await).await.unwrap()
}

#[actix_web::test]
async fn fifty_clicks_at_once_make_one_instance_and_one_status() {
    let app = TestApp::start().await;
    let token = app.token("ana", Some("acme"));

    let clicks = (0..50).map(|_| app.asks(&token, "POST", "/api/whatsapp/connect", Value::Null));
    let all = join_all(clicks).await;
    let ids: BTreeSet<String> = all.iter().map(|one| one.json["instance"]["id"].to_string()).collect();

    assert!(all.iter().all(|one| one.status == 200), "{:?}", all.iter().find(|one| one.status != 200));
    assert_eq!(ids.len(), 1);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM whatsapp_instances").await, 1);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM events WHERE event = 'zapgate.status'").await, 1);
}

#[actix_web::test]
async fn a_fresh_instance_says_that_evolution_is_not_configured() {
    let app = TestApp::start().await;
    let mut ana = app.listen("ana").await;
    assert_eq!(ana.hello["data"]["instance"], Value::Null);

    let made = app.user("ana").await;
    let frame = ana.next().await;
    let instance = &made.json["instance"];

    assert_eq!((&made.json["qrCode"], &made.json["pairingCode"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&instance["status"], &instance["statusReason"]),
        (&json!("disconnected"), &json!("evolution_not_configured"))
    );
    assert!(instance["statusText"]["pt"].as_str().unwrap().contains("Evolution"), "{instance}");
    assert_eq!((&frame["type"], &frame["data"]["reason"]), (&json!("status"), &json!("evolution_not_configured")));
    assert_eq!(
        count(&app, "SELECT COUNT(*) FROM whatsapp_instances WHERE status_reason = 'evolution_not_configured'").await,
        1
    );

    app.evolution_posts("ana", recorded::webhook("connection.update/open-after-scan")).await;
    let open = app.as_admin("GET", "/api/whatsapp/instance?userId=ana", Value::Null).await.json;
    assert_eq!((&open["status"], &open["statusReason"]), (&json!("connected"), &Value::Null));
}

#[actix_web::test]
async fn an_instance_has_the_published_fields() {
    let app = TestApp::start().await;
    let made = app.user_in("ana", "acme").await;
    let instance = &made.json["instance"];

    let published = "id sessionId instanceName userId organizationId status statusReason statusText isConnected phoneNumber \
                     profileName deviceName qrCode qrExpiresAt pairingCode health autoReconnect reconnectAttempts \
                     lastReconnectAt nextReconnectAt proxyEnabled proxyUrl createdAt connectedAt updatedAt";
    let health = "status consecutiveFailures uptimeS lastCheckAt lastInboundAt issues";

    assert_eq!(names(&made.json), "instance qrCode pairingCode".split(' ').collect());
    assert_eq!(names(instance), published.split_whitespace().collect());
    assert_eq!(names(&instance["health"]), health.split(' ').collect());
    assert!(instance["id"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    assert!(instance["sessionId"].is_i64());
    assert_eq!((&instance["instanceName"], &instance["userId"]), (&json!("user_ana"), &json!("ana")));
    assert_eq!(instance["organizationId"], "acme");
    let at = instance["createdAt"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z') && &at[10..11] == "T" && &at[19..20] == ".", "{at}");
}

#[actix_web::test]
async fn an_operator_names_the_user_in_body_or_query_and_a_faulty_body_is_not_an_empty_one() {
    let app = TestApp::start().await;
    let token = app.token("ana", None);
    let raw = |bearer: String, kind: &'static str, body: &'static str| {
        let request = app.http.post(format!("{}/api/whatsapp/connect", app.url)).bearer_auth(bearer);
        answer(request.header("content-type", kind).body(body))
    };

    let by_query = app.as_admin("POST", "/api/whatsapp/connect?userId=bob", Value::Null).await;
    let nobody = app.as_admin("POST", "/api/whatsapp/connect", Value::Null).await;
    let broken = raw(token.clone(), "application/json", "{").await;
    let wrong = raw(token.clone(), "application/json", r#"{"userId":7}"#).await;
    let untyped = raw(token.clone(), "text/plain", "{}").await;
    let number = app.asks(&token, "POST", "/api/whatsapp/connect", json!({"number": "+55 11"})).await;
    let empty = raw(token, "application/json", "").await;

    assert_eq!(by_query.json["instance"]["userId"], "bob");
    assert_eq!((nobody.status, nobody.code()), (400, "bad_input"));
    assert_eq!((broken.status, broken.code()), (400, "not_json"));
    assert_eq!((wrong.status, wrong.code()), (400, "bad_input"));
    assert_eq!((untyped.status, untyped.code()), (415, "unsupported_media"));
    assert_eq!((number.status, number.code()), (400, "bad_input"));
    assert_eq!(empty.status, 200, "{}", empty.json);
}

#[actix_web::test]
async fn the_list_is_paged_and_an_organisation_sees_its_own_without_codes() {
    let app = TestApp::start().await;
    for n in 0..5 {
        app.user_in(&format!("acme-{n}"), "acme").await;
        app.user_in(&format!("other-{n}"), "Ação").await;
    }
    app.evolution_posts("acme-0", recorded::webhook("qrcode.updated/qr-first")).await;
    let member = app.token("acme-4", Some("acme"));
    let hashed =
        app.as_admin("GET", "/api/whatsapp/instance?userId=other-0", Value::Null).await.json["organizationId"].clone();

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.asks(&member, "GET", &format!("/api/instances?limit=2{cursor}"), Value::Null).await;
        seen.extend(page.json["items"].as_array().unwrap().clone());
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all = app.as_admin("GET", "/api/instances", Value::Null).await;
    let narrowed =
        app.as_admin("GET", &format!("/api/instances?organizationId={}", hashed.as_str().unwrap()), Value::Null).await;
    let with_code = all.json["items"].as_array().unwrap().iter().filter(|one| one["qrCode"].is_string()).count();

    assert_eq!(seen.len(), 5);
    assert!(
        seen.iter()
            .all(|one| one["organizationId"] == "acme" && one["qrCode"].is_null() && one["pairingCode"].is_null())
    );
    assert_eq!((all.json["items"].as_array().unwrap().len(), with_code), (10, 1));
    assert_eq!(narrowed.json["items"].as_array().unwrap().len(), 5, "{}", narrowed.json);
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=Ings"] {
        let refused = app.as_admin("GET", &format!("/api/instances?{bad}"), Value::Null).await;
        assert_eq!((refused.status, refused.code()), (400, "bad_input"), "{bad}");
    }
}

#[actix_web::test]
async fn an_id_is_read_by_its_form() {
    let app = TestApp::start().await;
    let made = app.user("ana").await.json["instance"].clone();

    for id in [made["id"].as_str().unwrap(), &made["sessionId"].to_string(), "user_ana"] {
        let found = app.as_admin("GET", &format!("/api/instances/{id}"), Value::Null).await;
        assert_eq!((found.status, &found.json["userId"]), (200, &json!("ana")), "{id}");
    }
    for id in ["ana", "99", "99999999999999999999", "00000000-0000-4000-8000-000000000000", "user_bob"] {
        let absent = app.as_admin("GET", &format!("/api/instances/{id}"), Value::Null).await;
        assert_eq!((absent.status, absent.code()), (404, "not_found"), "{id}");
    }
}

#[actix_web::test]
async fn a_test_event_takes_the_real_way_and_tells_who_got_it() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut first = app.listen("ana").await;
    let _second = app.listen("ana").await;

    let tested = app.as_admin("POST", "/api/webhook/test", json!({"userId": "ana"})).await;
    let frame = first.next().await;
    let nobody = app.as_admin("POST", "/api/webhook/test", json!({"userId": "bob"})).await;
    let user = app.asks(&app.token("ana", None), "POST", "/api/webhook/test", json!({"userId": "ana"})).await;

    assert_eq!((tested.verdict(), &tested.json["sockets"]), ("stored", &json!(2)));
    assert_eq!((&frame["seq"], &frame["type"]), (&json!(tested.seq()), &tested.json["type"]));
    assert_eq!((nobody.status, nobody.code()), (404, "not_found"));
    assert_eq!((user.status, user.code()), (403, "admin_only"));
    assert!(!ADMIN.is_empty());
}
