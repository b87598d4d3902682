//! What a tenant, a stranger or a hasty operator may try, and what it must not lead to.

use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use zapgate::simulator::{Ask, Fault};

use super::rig::{Rig, until, until_notified};
use crate::app::Answer;

const CONNECT: &str = "/api/whatsapp/connect";

/// How many commands are open.
async fn open_commands(db: &SqlitePool) -> i64 {
    let sql = "SELECT COUNT(*) FROM instance_commands WHERE ended_at IS NULL";
    sqlx::query_scalar(sql).fetch_one(db).await.unwrap()
}

async fn adopt(rig: &Rig, instance: &str, user: &str, org: Option<&str>) -> Answer {
    let wanted = json!({"instanceName": instance, "userId": user, "organizationId": org});
    rig.app.as_admin("POST", "/api/migration", wanted).await
}

#[actix_web::test]
async fn however_many_numbers_one_asks_with_the_newest_alone_waits() {
    let rig = Rig::start().await;
    rig.connect("ana").await;
    rig.evolution.fail(Ask::Any, Fault::Hang, None, None);
    let token = rig.app.token("ana", None);
    let asked = |nth: u64| {
        let body = json!({"number": format!("{}", 5_511_900_000_000 + nth)});
        rig.app.asks(&token, "POST", CONNECT, body)
    };

    let db = rig.app.database().await;
    let mut asking = std::pin::pin!(join_all((1..=60).map(asked)));
    let mut most = 0;
    let answers = loop {
        tokio::select! {
            answers = &mut asking => break answers,
            open = open_commands(&db) => most = most.max(open),
        }
    };

    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 503)), "{answers:?}");
    assert!((1..=2).contains(&most), "{most} at once");
}

#[actix_web::test]
async fn many_who_wait_for_a_code_that_does_not_come_keep_nobody_from_asking() {
    let rig = Rig::start().await;
    rig.evolution.lose_webhooks(10_000);
    let db = rig.app.database().await;
    let users: Vec<String> = (0..40).map(|nth| format!("u{nth}")).chain(["bob".to_owned()]).collect();

    let asking = join_all(users.iter().map(|user| rig.connect(user)));
    let called = async {
        for user in &users {
            rig.evolution.called("GET", &format!("/instance/connect/user_{user}"), 1).await;
        }
        open_commands(&db).await
    };
    let (answers, open) = tokio::join!(asking, called);

    assert_eq!(open, 41, "all of them wait, at the same time");
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[actix_web::test]
async fn two_buttons_pressed_in_turn_tell_their_owner_once() {
    let rig = Rig::start().await;
    rig.connect("ana").await;
    rig.evolution.fail(Ask::Any, Fault::Hang, None, None);
    let head = rig.app.head_of("ana").await;

    for _ in 0..30 {
        rig.post("ana", "/api/whatsapp/reconnect", Value::Null).await;
        rig.post("ana", "/api/whatsapp/scanned", Value::Null).await;
    }

    let told = rig.app.head_of("ana").await - head;
    assert!(told <= 6, "{told} frames");
}

#[actix_web::test]
async fn an_adoption_that_is_refused_changes_nothing() {
    let rig = Rig::start().await;
    rig.app.user_in("ana", "acme").await;
    rig.app.user("bob").await;

    let second = adopt(&rig, "loja", "ana", Some("zeta")).await;
    let stolen = adopt(&rig, "user_bob", "ana", Some("zeta")).await;
    let foreign = adopt(&rig, "user_cida", "ana", None).await;

    for refused in [second, stolen, foreign] {
        assert_eq!((refused.status, refused.code()), (400, "bad_input"), "{}", refused.json);
    }
    let own = rig.app.instance("ana").await;
    assert_eq!((&own["instanceName"], &own["organizationId"]), (&json!("user_ana"), &json!("acme")));
    assert_eq!(rig.app.instance("bob").await["organizationId"], Value::Null);
}

#[actix_web::test]
async fn of_two_users_who_are_given_one_name_at_once_one_has_it() {
    let rig = Rig::start().await;
    rig.made_elsewhere("loja").await;

    let (ana, bob) = tokio::join!(adopt(&rig, "loja", "ana", None), adopt(&rig, "loja", "bob", None));

    let mut statuses = [ana.status, bob.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{} {}", ana.json, bob.json);
}

#[actix_web::test]
async fn a_name_that_its_owner_removed_can_be_given_to_another_who_hears_what_it_says_alone() {
    let rig = Rig::start().await;
    rig.made_elsewhere("loja").await;
    adopt(&rig, "loja", "ana", None).await;
    assert_eq!(rig.delete("ana").await.status, 204);
    rig.made_elsewhere("loja").await;

    let given = adopt(&rig, "loja", "bob", None).await;
    let mut bob = rig.app.listen("bob").await;
    let own = rig.connect("ana").await;
    rig.connect("bob").await;
    rig.evolution.scan_when_shown("loja", Rig::phone()).await;
    until_notified(&mut bob, "connected").await;

    assert_eq!((given.status, own.status), (200, 200), "{} {}", given.json, own.json);
    assert_eq!(own.json["instance"]["instanceName"], "user_ana");
    assert_eq!(rig.app.instance("ana").await["isConnected"], false);
    assert_eq!(rig.app.instance("bob").await["isConnected"], true);
}

#[actix_web::test]
async fn who_removed_an_instance_can_be_given_one_of_another_name() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    assert_eq!(rig.delete("ana").await.status, 204);
    rig.made_elsewhere("loja").await;

    let given = adopt(&rig, "loja", "ana", None).await;
    let own = rig.app.instance("ana").await;

    assert_eq!(given.status, 200, "{}", given.json);
    assert_eq!((&own["instanceName"], &own["isConnected"]), (&json!("loja"), &json!(false)));
    assert_eq!(own["phoneNumber"], Value::Null);
}

#[actix_web::test]
async fn odd_user_ids_connect_and_hear_their_own_codes() {
    let rig = Rig::start().await;
    let long = "x".repeat(128);
    for user in [".", "..", "...", "-", long.as_str(), "Ana", "ana", "../../bob", "%2e%2e", "ação", "a b/c?d#e"] {
        let mut socket = rig.app.listen(user).await;

        let asked = rig.connect(user).await;
        let name = asked.json["instance"]["instanceName"].clone();
        let shown = until(&mut socket, |frame| frame["type"] == "qrcode").await;

        assert_eq!((asked.status, &shown["data"]["instanceName"]), (200, &name), "{user}");
        let other = rig.app.asks(&rig.app.token("eva", None), "GET", "/api/whatsapp/instance", Value::Null).await;
        assert_eq!(other.status, 404, "{user}");
    }
    assert_eq!(rig.evolution.instances().len(), 11);
}

#[actix_web::test]
async fn an_ending_told_with_another_instances_key_ends_nothing() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    rig.connected("bob").await;
    let bobs = rig.app.proof(rig.app.key_of("user_bob").expose_secret(), Duration::ZERO);
    let post = |path: &str, body: Value| {
        let request = rig.app.http.post(format!("{}/api/webhook/{path}", rig.app.url)).bearer_auth(&bobs);
        crate::app::answer(request.json(&body))
    };

    for event in ["remove.instance", "logout.instance", "instance.delete", "connection.update", "status.instance"] {
        let body = json!({"event": event, "instance": "user_ana", "data": {"state": "close", "statusReason": 401}});
        for path in ["user/ana", "user/bob", "evolution", "whatsapp", "user/bob/remove-instance", "user/ana/x"] {
            let refused = post(path, body.clone()).await;
            assert_eq!(refused.status, 401, "{event} {path} {}", refused.json);
        }
    }

    for user in ["ana", "bob"] {
        assert_eq!(rig.app.instance(user).await["status"], "connected");
    }
}

#[actix_web::test]
async fn nobody_drives_or_sees_what_is_anothers_and_cannot_tell_whether_it_is_there() {
    let rig = Rig::start().await;
    rig.app.user_in("ana", "acme").await;
    let id = rig.app.instance("ana").await["id"].as_str().unwrap().to_owned();
    let member = rig.app.token("bob", Some("acme"));
    let stranger = rig.app.token("eva", Some("zeta"));
    let own = ["connect", "reconnect", "disconnect", "scanned"];
    for token in [&member, &stranger] {
        for whose in ["ana", "nobody"] {
            for route in own {
                let asked =
                    rig.app.asks(token, "POST", &format!("/api/whatsapp/{route}?userId={whose}"), Value::Null).await;
                assert_eq!((asked.status, asked.code()), (403, "not_yours"), "{route} {whose}");
            }
            for method in ["GET", "DELETE"] {
                let path = format!("/api/whatsapp/instance?userId={whose}");
                assert_eq!(rig.app.asks(token, method, &path, Value::Null).await.code(), "not_yours");
            }
            let body = json!({ "userId": whose });
            assert_eq!(rig.app.asks(token, "POST", CONNECT, body).await.code(), "not_yours");
        }
        for name in [id.as_str(), "1", "user_ana", "00000000-0000-0000-0000-000000000000", "999", "user_nobody"] {
            let path = format!("/api/instances/{name}");
            for (method, path, body) in [
                ("GET", path.clone(), Value::Null),
                ("DELETE", path.clone(), Value::Null),
                ("PATCH", path.clone(), json!({"autoReconnect": false})),
                ("POST", format!("{path}/reconnect"), Value::Null),
            ] {
                let asked = rig.app.asks(token, method, &path, body).await;
                assert_eq!((asked.status, asked.code()), (403, "admin_only"), "{method} {path}");
            }
        }
        for method in ["GET", "POST"] {
            let body = json!({"instanceName": "user_ana"});
            assert_eq!(rig.app.asks(token, method, "/api/migration", body).await.code(), "admin_only");
        }
    }
    let seen = rig.app.asks(&member, "GET", "/api/instances", Value::Null).await;
    let unseen = rig.app.asks(&stranger, "GET", "/api/instances", Value::Null).await;
    assert_eq!((seen.json["items"].as_array().unwrap().len(), unseen.json["items"].as_array().unwrap().len()), (1, 0));
    assert_eq!(rig.app.instance("ana").await["autoReconnect"], true);
}
