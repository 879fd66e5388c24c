//! Who sends.

use model::quote::quoted;
use yaml::{Node, Position, Reader};

use crate::secret::Secret;

/// What is sent along so that the receiver knows who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// User and password.
    Basic {
        /// The user.
        username: Secret,
        /// The password; may be empty.
        password: Secret,
    },
    /// `Authorization: TYPE CREDENTIALS`.
    Authorization {
        /// `Bearer`, if nothing else is said.
        r#type: String,
        /// What follows.
        credentials: Secret,
    },
    /// A signature of the request with keys of AWS.
    SigV4(SigV4),
}

/// Keys of AWS. What is missing is found the AWS way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigV4 {
    /// The region; by default that of the environment.
    pub region: Option<String>,
    /// Access key and secret key.
    pub keys: Option<(String, Secret)>,
    /// A profile of the configuration of AWS.
    pub profile: Option<String>,
    /// A role to take on.
    pub role_arn: Option<String>,
    /// Told when the role is taken on.
    pub external_id: Option<String>,
}

/// A secret that stands in one of two fields.
#[derive(Default)]
struct Either {
    found: Option<Secret>,
}

impl Either {
    /// The field with the secret itself; `at` is where its name stands, `fields` are the names of both.
    fn inline(&mut self, reader: &mut Reader, at: Position, node: &Node, fields: &str) {
        let secret = Secret::Inline(reader.string(node));
        self.set(reader, at, secret, fields);
    }

    /// The field with the path of a file that holds it.
    fn file(&mut self, reader: &mut Reader, at: Position, node: &Node, fields: &str) {
        let path = reader.string(node);
        if path.is_empty() {
            reader.complain(node.position, "a file must have a path");
        }
        self.set(reader, at, Secret::File(path), fields);
    }

    fn set(&mut self, reader: &mut Reader, at: Position, secret: Secret, fields: &str) {
        if self.found.is_some() {
            reader.complain(at, format!("at most one of {fields} must be configured"));
        }
        self.found = Some(secret);
    }
}

pub(crate) fn basic(reader: &mut Reader, node: &Node) -> Auth {
    const USER: &str = "basic_auth username & username_file";
    const PASSWORD: &str = "basic_auth password & password_file";
    let (mut username, mut password) = (Either::default(), Either::default());
    for (key, value) in reader.entries(node, "basic_auth") {
        match &*key.0 {
            "username" => username.inline(reader, key.1, &value, USER),
            "username_file" => username.file(reader, key.1, &value, USER),
            "password" => password.inline(reader, key.1, &value, PASSWORD),
            "password_file" => password.file(reader, key.1, &value, PASSWORD),
            _ => reader.unknown(
                &key,
                "basic_auth",
                &["username", "username_file", "password", "password_file"],
            ),
        }
    }
    let empty = || Secret::Inline(String::new());
    Auth::Basic {
        username: username.found.unwrap_or_else(empty),
        password: password.found.unwrap_or_else(empty),
    }
}

pub(crate) fn authorization(reader: &mut Reader, node: &Node) -> Auth {
    const CREDENTIALS: &str = "authorization credentials & credentials_file";
    let mut r#type = "Bearer".to_owned();
    let mut credentials = Either::default();
    for (key, value) in reader.entries(node, "authorization") {
        match &*key.0 {
            "type" => {
                let given = reader.string(&value);
                let given = given.trim();
                if given.eq_ignore_ascii_case("basic") {
                    let text = format!(
                        "authorization type cannot be set to {}, use \"basic_auth\" instead",
                        quoted(given)
                    );
                    reader.complain(value.position, text);
                }
                if !given.is_empty() {
                    given.clone_into(&mut r#type);
                }
            }
            "credentials" => credentials.inline(reader, key.1, &value, CREDENTIALS),
            "credentials_file" => credentials.file(reader, key.1, &value, CREDENTIALS),
            _ => reader.unknown(&key, "authorization", &["type", "credentials", "credentials_file"]),
        }
    }
    match credentials.found {
        Some(credentials) => Auth::Authorization { r#type, credentials },
        None => {
            reader.complain(node.position, "authorization must have credentials or credentials_file");
            Auth::None
        }
    }
}

pub(crate) fn sigv4(reader: &mut Reader, node: &Node) -> Auth {
    const FIELDS: [&str; 6] = ["region", "access_key", "secret_key", "profile", "role_arn", "external_id"];
    let mut found = SigV4::default();
    let (mut access_key, mut secret_key) = (String::new(), String::new());
    let text = |reader: &mut Reader, node: &Node| Some(reader.string(node)).filter(|text| !text.is_empty());
    for (key, value) in reader.entries(node, "sigv4") {
        match &*key.0 {
            "region" => found.region = text(reader, &value),
            "access_key" => access_key = reader.string(&value),
            "secret_key" => secret_key = reader.string(&value),
            "profile" => found.profile = text(reader, &value),
            "role_arn" => found.role_arn = text(reader, &value),
            "external_id" => found.external_id = text(reader, &value),
            _ => crate::known::refuse(
                reader,
                &key,
                "sigv4",
                &FIELDS,
                &[("use_fips_sts_endpoint", "the AWS SDK is told by its environment, AWS_USE_FIPS_ENDPOINT")],
            ),
        }
    }
    if access_key.is_empty() != secret_key.is_empty() {
        reader.complain(
            node.position,
            "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config",
        );
    } else if !access_key.is_empty() {
        found.keys = Some((access_key, Secret::Inline(secret_key)));
    }
    Auth::SigV4(found)
}
