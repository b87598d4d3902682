//! Users' tokens checked by a key set, served by a real identity provider.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::pkcs8::EncodePrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use zapgate::adapters::tasks::Tasks;

use super::front::{self, ADMIN, Front, hs256, in_secs};

/// Serves whatever key set it holds, counts the readers, and can be down.
#[derive(Clone, Default)]
struct Provider {
    keys: Arc<Mutex<Vec<Value>>>,
    reads: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
    tasks: Tasks,
}

impl Provider {
    fn with(keys: Vec<Value>) -> Self {
        let provider = Self::default();
        provider.publish(keys);
        provider
    }

    fn publish(&self, keys: Vec<Value>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    async fn front(&self) -> Front {
        let provider = self.clone();
        let base = front::serve(&self.tasks, move |cfg| {
            let provider = provider.clone();
            let answer = move || {
                provider.reads.fetch_add(1, Ordering::Relaxed);
                let keys = provider.keys.lock().unwrap().clone();
                let down = provider.down.load(Ordering::Relaxed);
                async move {
                    if down {
                        HttpResponse::BadGateway().finish()
                    } else {
                        HttpResponse::Ok().json(json!({"keys": keys}))
                    }
                }
            };
            cfg.route("/jwks", web::get().to(answer));
        });
        Front::with(|config| {
            config.jwt_secret = None;
            config.jwks_url = Some(format!("{base}/jwks"));
        })
        .await
    }
}

/// One signing key and its public half.
struct Pair {
    kid: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
}

impl Pair {
    fn ec(kid: &'static str, seed: u8) -> Self {
        let key = p256::SecretKey::from_slice(&[seed; 32]).unwrap();
        let mut public: Value = serde_json::from_str(&key.public_key().to_jwk_string()).unwrap();
        public["kid"] = kid.into();
        let private = EncodingKey::from_ec_der(key.to_pkcs8_der().unwrap().as_bytes());
        Self { kid, algorithm: Algorithm::ES256, private, public }
    }

    fn rsa(kid: &'static str) -> (Self, rsa::RsaPublicKey) {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let part = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let public = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": part(key.n()), "e": part(key.e()),
        });
        let private = EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes());
        (Self { kid, algorithm: Algorithm::RS256, private, public }, key.to_public_key())
    }

    fn token(&self) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.to_owned());
        encode(&header, &json!({"sub": "ana", "exp": in_secs(7200)}), &self.private).unwrap()
    }
}

async fn status(front: &Front, token: &str) -> StatusCode {
    front.get("/api/me", &[("authorization", &front::bearer(token))]).await.0
}

#[tokio::test]
async fn rs256_and_es256_tokens_of_one_key_set_are_good() {
    let ((rsa, _), ec) = (Pair::rsa("r"), Pair::ec("e", 7));
    let provider = Provider::with(vec![rsa.public.clone(), ec.public.clone()]);
    let front = provider.front().await;

    assert_eq!(front.me(&rsa.token()).await["userId"], "ana");
    assert_eq!(front.me(&ec.token()).await["userId"], "ana");
    assert_eq!(provider.reads(), 1);
}

#[tokio::test]
async fn an_hmac_made_with_the_public_key_is_refused() {
    let (rsa, public) = Pair::rsa("r");
    let front = Provider::with(vec![rsa.public.clone()]).front().await;
    let pem = public.to_pkcs1_pem(LineEnding::LF).unwrap();
    let claims = json!({"sub": "ana", "exp": in_secs(60)});
    let modulus = URL_SAFE_NO_PAD.decode(rsa.public["n"].as_str().unwrap()).unwrap();

    let by_modulus = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&modulus)).unwrap();

    assert_eq!(status(&front, &rsa.token()).await, StatusCode::OK);
    for forged in
        [hs256(&claims, &pem), by_modulus, front::unsigned(&claims, "none"), front::unsigned(&claims, "RS256")]
    {
        assert_eq!(status(&front, &forged).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_symmetric_key_in_the_set_verifies_nothing() {
    let secret = "published-by-mistake-0123456789abcdef";
    let symmetric = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret)});
    let front = Provider::with(vec![symmetric, Pair::ec("e", 7).public]).front().await;

    let forged = hs256(&json!({"sub": "ana", "exp": in_secs(60)}), secret);

    assert_eq!(status(&front, &forged).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_s_key_under_a_known_kid_is_refused() {
    let front = Provider::with(vec![Pair::ec("e", 7).public]).front().await;

    assert_eq!(status(&front, &Pair::ec("e", 8).token()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_rotated_key_is_found_and_made_up_kids_do_not_hammer_the_provider() {
    let (old, new) = (Pair::ec("old", 7), Pair::ec("new", 8));
    let provider = Provider::with(vec![old.public.clone()]);
    let front = provider.front().await;
    front.me(&old.token()).await;

    provider.publish(vec![old.public.clone(), new.public.clone()]);
    for seed in 20..30 {
        assert_eq!(status(&front, &Pair::ec("made-up", seed).token()).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.reads(), 1);
    front.clock.advance(Duration::from_secs(30));

    assert_eq!(front.me(&new.token()).await["userId"], "ana");
    assert_eq!(provider.reads(), 2);
}

#[tokio::test]
async fn known_keys_stay_in_use_while_the_provider_is_down_and_end_when_withdrawn() {
    let (old, new) = (Pair::ec("old", 7), Pair::ec("new", 8));
    let provider = Provider::with(vec![old.public.clone()]);
    let front = provider.front().await;
    front.me(&old.token()).await;

    provider.down.store(true, Ordering::Relaxed);
    front.clock.advance(Duration::from_secs(700));
    front.me(&old.token()).await;
    provider.down.store(false, Ordering::Relaxed);
    provider.publish(vec![new.public.clone()]);
    front.clock.advance(Duration::from_secs(31));

    assert_eq!(status(&front, &old.token()).await, StatusCode::UNAUTHORIZED);
    front.me(&new.token()).await;
}

#[tokio::test]
async fn a_key_set_that_was_never_read_is_our_fault_and_not_the_caller_s() {
    let provider = Provider::with(vec![Pair::ec("e", 7).public]);
    provider.down.store(true, Ordering::Relaxed);
    let front = provider.front().await;

    let (status, problem) = front.get("/api/me", &[("authorization", &front::bearer(&Pair::ec("e", 7).token()))]).await;

    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("key_set_unreachable")));
    assert_eq!(front.me(ADMIN).await["admin"], true);
    provider.down.store(false, Ordering::Relaxed);
    front.clock.advance(Duration::from_secs(2));
    front.me(&Pair::ec("e", 7).token()).await;
}

#[tokio::test]
async fn beside_a_key_set_our_own_tokens_are_good() {
    let front = Provider::with(vec![Pair::ec("e", 7).public]).front().await;

    assert_eq!(front.me(&front.mint("bob").await).await["userId"], "bob");
}
