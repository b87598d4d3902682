//! What the client asks, as it is on the wire.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use zapgate::adapters::clock::Clock;
use zapgate::adapters::evolution::{
    Contact, Content, InstanceSettings, Media, Message, NewConnection, ProxySetting, Search,
};
use zapgate::domain::ids::InstanceName;
use zapgate::domain::time::Millis;

use super::recordings::webhook;
use super::server::{KEY, Reply, Server, client, name};

pub fn media() -> Media {
    Media {
        kind: "image",
        base64: "iVBORw0K".into(),
        mimetype: "image/png".into(),
        caption: Some("legenda".into()),
        file_name: Some("a.png".into()),
    }
}

/// `METHOD path` and the body.
fn on_the_wire(server: &Server) -> Vec<(String, Value)> {
    let asked = server.asked().into_iter();
    asked
        .map(|one| (format!("{} {}", one.method, one.path), serde_json::from_str(&one.body).unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn an_instance_is_asked_for_as_the_contract_says() {
    let server = Server::saying([Reply::json(200, "{}")]).await;
    let (evolution, name) = (server.client(), &name());

    let token = Some(SecretString::from("TKN"));
    let _ = evolution.create(&NewConnection { name: name.clone(), webhook: webhook(), token }).await;
    let _ = evolution.connect(name, Some("5511999990001")).await;
    let _ = evolution.restart(name).await;
    let _ = evolution.logout(name).await;
    let _ = evolution.delete(name).await;
    let _ = evolution.set_webhook(name, &webhook()).await;
    let _ = evolution.set_settings(name, &InstanceSettings::default()).await;
    let proxy = ProxySetting {
        enabled: true,
        host: "proxy".into(),
        port: "3128".into(),
        protocol: "http".into(),
        username: Some(SecretString::from("u")),
        password: Some(SecretString::from("p")),
    };
    let _ = evolution.set_proxy(name, &proxy).await;
    let _ = evolution.verify_key().await;

    insta::assert_json_snapshot!(on_the_wire(&server));
}

#[tokio::test]
async fn a_message_is_sent_as_the_contract_says() {
    let server = Server::saying([Reply::json(201, "{}")]).await;
    let (evolution, name) = (server.client(), &name());
    let contact = Contact { full_name: "Ana Teste".into(), phone_number: "5511999990001".into() };
    let contents = [
        Content::Text("Olá!".into()),
        Content::Media(media()),
        Content::Voice("T2dnUw==".into()),
        Content::Sticker("UklGRg==".into()),
        Content::VideoNote("AAAA".into()),
        Content::Location { latitude: -23.5, longitude: -46.6, name: "Sé".into(), address: "Praça da Sé".into() },
        Content::Contacts(vec![contact]),
        Content::Poll { question: "Entrega?".into(), options: vec!["Manhã".into(), "Tarde".into()], selectable: 1 },
    ];

    for content in contents {
        let _ = evolution.send(name, &Message::new("5511999990001", content)).await;
    }
    let answer = Message {
        quoted: Some("3EB0".into()),
        delay: Duration::from_millis(1200),
        ..Message::new("77531977770003@lid", Content::Text("oi".into()))
    };
    let _ = evolution.send(name, &answer).await;
    let key = json!({"id": "3EB0", "fromMe": true, "remoteJid": "5511999990001@s.whatsapp.net"});
    let _ = evolution.react(name, &key, "🙏").await;
    let _ = evolution.edit(name, "5511999990001", &key, "corrigido").await;
    let _ = evolution.revoke(name, &key).await;
    let _ = evolution.mark_read(name, &[key]).await;
    let _ = evolution.send_presence(name, "5511999990001", "composing", Duration::from_secs(2)).await;

    insta::assert_json_snapshot!(on_the_wire(&server));
}

#[tokio::test]
async fn messages_are_looked_for_as_the_contract_says() {
    let server = Server::saying([Reply::json(200, "{}")]).await;
    let (evolution, name) = (server.client(), &name());
    let search = Search {
        remote_jid: Some("5511999990001@s.whatsapp.net".into()),
        id: Some("3EB0".into()),
        between: Some((Millis(1_795_211_000_000), Millis(1_795_211_999_000))),
        page: 2,
        page_size: 100,
    };

    let _ = evolution.find_messages(name, &search).await;
    let _ = evolution.find_messages(name, &Search::default()).await;
    let _ = evolution.media(name, "3EB0").await;
    let _ = evolution.numbers(name, &["5511999990001", "5511900009999"]).await;

    insta::assert_json_snapshot!(on_the_wire(&server));
}

#[tokio::test]
async fn each_request_has_the_key_and_says_who_asks() {
    let server = Server::saying([Reply::open()]).await;

    server.client().connection(&name()).await.unwrap();

    let headers = server.asked()[0].headers.clone();
    assert!(headers.contains(&format!("apikey: {KEY}\r\n")) && headers.contains("user-agent: zapgate/"), "{headers}");
    assert!(!headers.contains("accept-encoding"), "an answer that grows when it is read has no cap");
}

#[tokio::test]
async fn a_name_is_one_segment_whatever_it_has() {
    let server = Server::saying([Reply::open()]).await;
    let evolution = server.client();
    // Not even a name that never went through the door leads elsewhere.
    let odd = ["a/../b", "..%2f", "%2e%2e", "a?instanceName=b", "a#b", "a b", "a\\b", "ação", "a&b=c;d"];

    for odd in odd {
        let name: InstanceName = serde_json::from_value(json!(odd)).unwrap();
        evolution.connection(&name).await.unwrap();
        let _ = evolution.row(&name).await;
    }

    insta::assert_json_snapshot!(server.asked().into_iter().map(|one| one.path).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_no_address_can_carry_is_not_asked() {
    let server = Server::saying([Reply::open()]).await;

    for odd in [".", "..", "a\tb", "a\r\nb"] {
        let name: InstanceName = serde_json::from_value(json!(odd)).unwrap();
        assert!(server.client().delete(&name).await.is_err(), "{odd:?}");
    }

    assert_eq!(server.times(), 0);
}

#[tokio::test]
async fn the_server_may_live_below_a_path() {
    let server = Server::saying([Reply::json(200, r#"{"version":"2.3.6"}"#), Reply::open()]).await;

    for base in ["/evolution", "/evolution/"] {
        let evolution = client(&(server.url() + base), Clock::skipping(), |_| {});
        let _ = evolution.version().await;
        let _ = evolution.connection(&name()).await;
    }

    let asked: Vec<_> = server.asked().into_iter().map(|one| one.path).collect();
    let wanted = ["/evolution/", "/evolution/instance/connectionState/user_101"];
    assert_eq!(asked, [wanted, wanted].concat());
}
