//! Settings, from the environment that the extension shares with the function.

use config::{Auth, HttpClientConfig, Secret, SigV4};
use edge::Endpoint;
use functions::Environment;

/// What the extension is told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `AWS_LAMBDA_RUNTIME_API`: host and port.
    pub(crate) api: String,
    pub(crate) region: String,
    pub(crate) place: Place,
    /// Ports on localhost; `None`: there is none.
    pub(crate) push_port: Option<Port>,
    pub(crate) otlp_port: Option<Port>,
    pub(crate) statsd_port: Option<Port>,
    /// Where the platform finds the extension; by default the name that Lambda gives it.
    pub(crate) telemetry_host: Option<String>,
    pub(crate) ttl_ms: Option<i64>,
    /// How long sending may take after an invocation.
    pub(crate) send_timeout_ms: i64,
    pub(crate) buffer_bytes_max: usize,
    /// Whether this sandbox may be a copy of one that has started long ago.
    pub(crate) is_snapshot: bool,
}

/// A port on localhost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// Whether somebody has set it, and so needs it.
    pub(crate) is_set: bool,
}

/// Where metrics go.
#[derive(Debug)]
pub(crate) enum Place {
    Gateway {
        url: String,
        client: Box<HttpClientConfig>,
        service: Option<&'static str>,
    },
    Storage {
        url: String,
        endpoint: Option<String>,
    },
    /// Nobody knows: settings are mistaken.
    Nowhere,
}

const SEND_TIMEOUT_MS: i64 = 3_000;
const BUFFER_BYTES: usize = 4 << 20;
/// Less keeps nothing, and more than this is more than the extension is to take.
const BUFFER_BYTES_MIN: u64 = 64 << 10;
const BUFFER_BYTES_MAX: u64 = 64 << 20;

impl Settings {
    /// What the environment says. Mistakes are for it to tell; what they are about is left out, or has its default.
    pub(crate) fn of(environment: &mut Environment) -> Self {
        Self {
            api: environment
                .required("AWS_LAMBDA_RUNTIME_API", "the address that Lambda gives to extensions"),
            region: environment.text("AWS_REGION").unwrap_or_default(),
            place: place(environment),
            push_port: port(environment, "MAYFLY_PUSH_PORT", 9091),
            otlp_port: port(environment, "MAYFLY_OTLP_PORT", 4318),
            statsd_port: port(environment, "MAYFLY_STATSD_PORT", 8125),
            telemetry_host: environment.text("MAYFLY_TELEMETRY_HOST"),
            ttl_ms: environment.duration_ms("MAYFLY_PUSH_TTL"),
            send_timeout_ms: environment.duration_ms("MAYFLY_SEND_TIMEOUT").unwrap_or(SEND_TIMEOUT_MS),
            buffer_bytes_max: buffer_bytes_max(environment),
            is_snapshot: environment.text("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() == Some("snap-start"),
        }
    }
}

fn place(environment: &mut Environment) -> Place {
    let (gateway, storage) = (environment.text("MAYFLY_GATEWAY"), environment.text("MAYFLY_STORAGE"));
    match (gateway, storage) {
        (Some(_), Some(_)) => {
            let mistake = "MAYFLY_GATEWAY and MAYFLY_STORAGE are both set: metrics go to a gateway or straight to a storage";
            environment.mistaken(mistake.to_owned());
        }
        (Some(url), None) => return gateway_at(environment, url),
        (None, Some(url)) => {
            let endpoints = ["MAYFLY_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
            let endpoint = endpoints.into_iter().find_map(|name| environment.text(name));
            return Place::Storage { url, endpoint };
        }
        (None, None) => {
            let mistake = "neither MAYFLY_GATEWAY nor MAYFLY_STORAGE is set: expected the URL of a gateway, or s3://BUCKET/PREFIX";
            environment.mistaken(mistake.to_owned());
        }
    }
    Place::Nowhere
}

fn gateway_at(environment: &mut Environment, url: String) -> Place {
    if let Err(error) = Endpoint::below(&url, "") {
        environment.mistaken(format!("MAYFLY_GATEWAY: {error}"));
        return Place::Nowhere;
    }
    let (token, signs) = (environment.text("MAYFLY_TOKEN"), environment.text("MAYFLY_SIGV4").is_some());
    let service = environment.parsed("MAYFLY_SIGV4", |text| match text {
        "lambda" => Ok("lambda"),
        "execute-api" => Ok("execute-api"),
        _ => Err("expected lambda, for a Function URL, or execute-api, for API Gateway"),
    });
    if token.is_some() && signs {
        environment
            .mistaken("MAYFLY_TOKEN and MAYFLY_SIGV4 are both set: a request says once who sends".to_owned());
        return Place::Nowhere;
    }
    if signs && service.is_none() {
        return Place::Nowhere;
    }
    let auth = match (token, service) {
        (Some(token), _) => {
            Auth::Authorization { r#type: "Bearer".to_owned(), credentials: Secret::Inline(token) }
        }
        (None, Some(_)) => {
            Auth::SigV4(SigV4 { region: environment.text("MAYFLY_SIGV4_REGION"), ..SigV4::default() })
        }
        (None, None) => Auth::None,
    };
    Place::Gateway {
        url,
        client: Box::new(HttpClientConfig { auth, ..HttpClientConfig::default() }),
        service,
    }
}

fn port(environment: &mut Environment, name: &str, default: u16) -> Option<Port> {
    if environment.text(name).is_none() {
        return Some(Port { number: default, is_set: false });
    }
    let parse = |text: &str| match text {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| "expected the number of a port, or off"),
    };
    let number = environment.parsed(name, parse).flatten()?;
    Some(Port { number, is_set: true })
}

fn buffer_bytes_max(environment: &mut Environment) -> usize {
    let bytes = environment.parsed("MAYFLY_BUFFER_BYTES", |text| {
        let bytes = text.parse().ok().filter(|bytes| (BUFFER_BYTES_MIN..=BUFFER_BYTES_MAX).contains(bytes));
        bytes.ok_or_else(|| {
            format!("expected a number of bytes from {BUFFER_BYTES_MIN} to {BUFFER_BYTES_MAX}")
        })
    });
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(BUFFER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let mut environment =
            Environment::of(&[&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")], variables].concat());
        let settings = Settings::of(&mut environment);
        environment.finish().map(|()| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn there_is_one_place_and_one_identity() {
        let found =
            settings(&[("MAYFLY_GATEWAY", "https://push.example"), ("MAYFLY_TOKEN", "t")]).expect("settings");
        let Place::Gateway { client, service: None, .. } = &found.place else { panic!("{found:?}") };
        assert!(matches!(&client.auth, Auth::Authorization { r#type, .. } if r#type == "Bearer"));
        let signed = [
            ("MAYFLY_GATEWAY", "https://push.example"),
            ("MAYFLY_SIGV4", "lambda"),
            ("MAYFLY_SIGV4_REGION", "r"),
        ];
        let found = settings(&signed).expect("settings");
        assert!(matches!(found.place, Place::Gateway { service: Some("lambda"), .. }));
        let straight =
            [("MAYFLY_STORAGE", "s3://b/p"), ("MAYFLY_PUSH_PORT", "off"), ("MAYFLY_OTLP_PORT", "1")];
        let found = settings(&straight).expect("settings");
        assert!(matches!(found.place, Place::Storage { .. }));
        assert_eq!(found.push_port, None);
        assert_eq!(found.otlp_port, Some(Port { number: 1, is_set: true }));
        assert_eq!(found.statsd_port, Some(Port { number: 8125, is_set: false }));
    }

    #[test]
    fn what_a_mistake_is_about_is_left_out() {
        let gateway = ("MAYFLY_GATEWAY", "http://a");
        let of = |variables: &[(&str, &str)]| {
            let mut environment = Environment::of(variables);
            Settings::of(&mut environment)
        };
        for variables in [
            &[][..],
            &[gateway, ("MAYFLY_STORAGE", "s3://b")],
            &[("MAYFLY_GATEWAY", "a")],
            &[gateway, ("MAYFLY_SIGV4", "s3")],
            &[gateway, ("MAYFLY_SIGV4", "lambda"), ("MAYFLY_TOKEN", "t")],
        ] {
            assert!(matches!(of(variables).place, Place::Nowhere), "{variables:?}");
        }
        let found = of(&[
            gateway,
            ("MAYFLY_PUSH_PORT", "many"),
            ("MAYFLY_BUFFER_BYTES", "1"),
            ("MAYFLY_SEND_TIMEOUT", "soon"),
        ]);
        assert!(matches!(found.place, Place::Gateway { .. }));
        assert_eq!((found.push_port, found.buffer_bytes_max), (None, BUFFER_BYTES));
        assert_eq!(found.send_timeout_ms, SEND_TIMEOUT_MS);
    }

    #[test]
    fn mistakes_are_told() {
        let check = |variables: &[(&str, &str)], expect: &str| {
            let told = settings(variables).expect_err("mistakes");
            assert!(told.contains(expect), "{told}");
        };
        check(&[], "neither MAYFLY_GATEWAY nor MAYFLY_STORAGE is set");
        check(&[("MAYFLY_GATEWAY", "http://a"), ("MAYFLY_STORAGE", "s3://b")], "both set");
        check(&[("MAYFLY_GATEWAY", "push.example")], "MAYFLY_GATEWAY: \"push.example\" is no URL to send to");
        check(&[("MAYFLY_GATEWAY", "http://a"), ("MAYFLY_SIGV4", "s3")], "expected lambda");
        let both = [("MAYFLY_GATEWAY", "http://a"), ("MAYFLY_SIGV4", "lambda"), ("MAYFLY_TOKEN", "t")];
        check(&both, "a request says once who sends");
        check(
            &[("MAYFLY_STORAGE", "s3://b"), ("MAYFLY_STATSD_PORT", "x")],
            "expected the number of a port, or off",
        );
        check(&[("MAYFLY_STORAGE", "s3://b"), ("MAYFLY_BUFFER_BYTES", "1")], "from 65536 to 67108864");
    }
}
