//! Where a request comes from: the client's address behind proxies, our own address as the browser sees it, and
//! whether a page's origin is ours. Believes `X-Forwarded-*` of `TRUSTED_PROXIES` only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::http::uri::Authority;
use clap::Args;
use ipnet::IpNet;
use url::Url;

use super::limits::{Limits, LimitsConfig};
use crate::domain::error::Error;

/// Which pages and proxies are ours.
#[derive(Clone, Debug, Default, Args)]
pub struct DoorConfig {
    /// Browser origins allowed beside our own, comma-separated. Unset: same origin only.
    #[arg(long, env = "FRONTEND_URL", value_delimiter = ',')]
    pub frontend_url: Vec<String>,
    /// Networks or addresses whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, comma-separated.
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,
}

impl DoorConfig {
    /// Everything wrong with it, one line each: the variable, the problem, an example.
    pub fn validate(&self) -> Vec<String> {
        let origins = words(&self.frontend_url).filter(|raw| parse_origin(raw).is_none()).map(|raw| {
            format!("FRONTEND_URL: `{raw}` is not an origin; example: FRONTEND_URL=https://app.example.com")
        });
        let proxies = words(&self.trusted_proxies).filter(|raw| parse_network(raw).is_none()).map(|raw| {
            format!("TRUSTED_PROXIES: `{raw}` is not a network; example: TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7")
        });
        origins.chain(proxies).collect()
    }

    /// The allowed origins as browsers write them, for CORS.
    pub fn origins(&self) -> Vec<String> {
        words(&self.frontend_url).filter_map(parse_origin).collect()
    }
}

/// What the doorkeeper knows. One per process, shared by its workers.
#[derive(Debug)]
pub struct Door {
    origins: Vec<String>,
    proxies: Vec<IpNet>,
    pub limits: Limits,
}

impl Door {
    pub fn new(config: &DoorConfig, limits: LimitsConfig) -> Self {
        Self {
            origins: config.origins(),
            proxies: words(&config.trusted_proxies).filter_map(parse_network).collect(),
            limits: Limits::new(limits),
        }
    }

    /// The client's address: the rightmost hop that is no proxy of ours. What stands left of it is the client's own
    /// claim.
    pub fn address(&self, request: &HttpRequest) -> IpAddr {
        let mut address = peer(request);
        let hops: Vec<&str> = request
            .headers()
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(','))
            .collect();
        for hop in hops.iter().rev() {
            if !self.trusts(address) {
                break;
            }
            let Some(next) = parse_hop(hop.trim()) else { break };
            address = next;
        }
        address
    }

    /// Whether the client spoke https to us or to our proxy.
    pub fn is_https(&self, request: &HttpRequest) -> bool {
        let secure = |value: &str| value.eq_ignore_ascii_case("https");
        request.app_config().secure() || self.forwarded(request, "x-forwarded-proto").is_some_and(secure)
    }

    /// Our own origin as this client reaches it, such as `https://zap.example.com`.
    pub fn base_url(&self, request: &HttpRequest) -> String {
        let scheme = if self.is_https(request) { "https" } else { "http" };
        format!("{scheme}://{}", self.host(request))
    }

    /// The request's `Origin`, if it has one and it is ours: that of the request's own host, or of `FRONTEND_URL`.
    ///
    /// # Errors
    /// [`Error::ForeignOrigin`] for any other, `null` among them.
    pub fn own_origin<'a>(&self, request: &'a HttpRequest) -> Result<Option<&'a str>, Error> {
        let mut all = request.headers().get_all(ORIGIN);
        let Some(origin) = all.next() else { return Ok(None) };
        let origin = origin.to_str().map_err(|_| Error::ForeignOrigin)?;
        let ours = self.origins.iter().any(|known| known == origin) || self.is_same_origin(origin, request);
        if ours && all.next().is_none() { Ok(Some(origin)) } else { Err(Error::ForeignOrigin) }
    }

    /// The scheme counts only where we know it: behind a proxy that is not in `TRUSTED_PROXIES` every request looks
    /// like http.
    fn is_same_origin(&self, origin: &str, request: &HttpRequest) -> bool {
        let authority = match origin.split_once("://") {
            Some(("https", authority)) => authority,
            Some(("http", authority)) if !self.is_https(request) => authority,
            _ => return false,
        };
        !authority.is_empty() && authority.eq_ignore_ascii_case(self.host(request))
    }

    fn host<'a>(&self, request: &'a HttpRequest) -> &'a str {
        let forwarded = self.forwarded(request, "x-forwarded-host");
        let named = || request.headers().get(HOST).and_then(|host| host.to_str().ok());
        forwarded.or_else(named).or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default()
    }

    /// The last value of a header, as the proxy next to us wrote it; nothing when the peer is no proxy of ours.
    fn forwarded<'a>(&self, request: &'a HttpRequest, header: &str) -> Option<&'a str> {
        if !self.trusts(peer(request)) {
            return None;
        }
        let last = request.headers().get_all(header).last()?.to_str().ok()?;
        last.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }
}

/// The other end of the connection. Without one (a Unix socket, a test) nobody is trusted.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}

/// An address, perhaps with a port, as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = || hop.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let address: IpAddr = hop.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()).or_else(bare)?;
    Some(address.to_canonical())
}

fn parse_network(raw: &str) -> Option<IpNet> {
    raw.parse().ok().or_else(|| raw.parse::<IpAddr>().ok().map(IpNet::from))
}

/// An origin as browsers write it; `None` for what is more than an origin, or not http(s).
fn parse_origin(raw: &str) -> Option<String> {
    let url: Url = raw.parse().ok()?;
    let only_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let plain = url.username().is_empty() && url.password().is_none() && !raw.contains('*');
    (matches!(url.scheme(), "http" | "https") && only_origin && plain).then(|| url.origin().ascii_serialization())
}

fn words(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|word| word.trim()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn door() -> Door {
        let config = DoorConfig {
            frontend_url: vec!["https://app.example.com/".to_owned(), " http://localhost:5173".to_owned()],
            trusted_proxies: vec!["10.0.0.0/8".to_owned(), "2001:db8::1".to_owned()],
        };
        assert_eq!(config.validate(), Vec::<String>::new());
        Door::new(&config, LimitsConfig::default())
    }

    fn from(peer: &str) -> TestRequest {
        TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 4711))
    }

    #[test]
    fn the_client_is_the_rightmost_hop_that_is_no_proxy_of_ours() {
        let address = |peer: &str, hops: &str| {
            door().address(&from(peer).insert_header(("x-forwarded-for", hops)).to_http_request()).to_string()
        };

        assert_eq!(address("192.0.2.9", "198.51.100.1"), "192.0.2.9");
        assert_eq!(address("10.0.0.1", "1.1.1.1, 198.51.100.1"), "198.51.100.1");
        assert_eq!(address("10.0.0.1", "1.1.1.1, 198.51.100.1:99, 10.9.9.9"), "198.51.100.1");
        assert_eq!(address("10.0.0.1", "[2001:db8::7]:443"), "2001:db8::7");
        assert_eq!(address("10.0.0.1", "198.51.100.1, nonsense"), "10.0.0.1");
        assert_eq!(address("::ffff:10.0.0.1", "198.51.100.1"), "198.51.100.1");
    }

    #[test]
    fn hops_in_several_header_lines_are_one_list() {
        let request = from("10.0.0.1")
            .append_header(("x-forwarded-for", "1.1.1.1"))
            .append_header(("x-forwarded-for", "198.51.100.1"))
            .to_http_request();

        assert_eq!(door().address(&request).to_string(), "198.51.100.1");
    }

    #[test]
    fn https_is_believed_of_a_trusted_proxy_only() {
        let is_https =
            |peer: &str| door().is_https(&from(peer).insert_header(("x-forwarded-proto", "https")).to_http_request());

        assert!(is_https("10.0.0.1"));
        assert!(!is_https("192.0.2.9"));
    }

    #[test]
    fn our_origins_are_our_host_and_the_configured_ones() {
        let allowed = |origin: &str| {
            let request = from("192.0.2.9").insert_header(("host", "zap.example.com:8080"));
            door().own_origin(&request.insert_header(("origin", origin)).to_http_request()).is_ok()
        };

        for ours in [
            "http://zap.example.com:8080",
            "https://zap.example.com:8080",
            "https://app.example.com",
            "http://localhost:5173",
        ] {
            assert!(allowed(ours), "{ours}");
        }
        for foreign in [
            "null",
            "",
            "http://zap.example.com",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "https://evil.test",
            "file://zap.example.com:8080",
            "zap.example.com:8080",
        ] {
            assert!(!allowed(foreign), "{foreign}");
        }
    }

    #[test]
    fn behind_a_trusted_proxy_a_page_over_plain_http_is_foreign() {
        let request = from("10.0.0.1")
            .insert_header(("host", "zap.example.com"))
            .insert_header(("x-forwarded-proto", "https"))
            .insert_header(("origin", "http://zap.example.com"))
            .to_http_request();

        assert!(matches!(door().own_origin(&request), Err(Error::ForeignOrigin)));
        assert_eq!(door().base_url(&request), "https://zap.example.com");
    }

    #[test]
    fn faults_in_the_configuration_name_their_variable() {
        let config = DoorConfig {
            frontend_url: vec!["*".to_owned(), "https://a.test/path".to_owned()],
            trusted_proxies: vec!["10.0.0.0/99".to_owned()],
        };

        let faults = config.validate();

        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("FRONTEND_URL: `*`") && faults[2].starts_with("TRUSTED_PROXIES: "), "{faults:?}");
    }
}
