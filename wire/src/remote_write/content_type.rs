//! Which message a body is, by its `Content-Type`.

const MEDIA_TYPE: &str = "application/x-protobuf";

/// The message of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`
    V1,
    /// `io.prometheus.write.v2.Request`
    V2,
}

/// A `Content-Type` that is none of remote write. The texts are those of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Another media type.
    #[error("expected {MEDIA_TYPE} as the first (media) part, got {0} content-type")]
    MediaType(String),
    /// A parameter without a value.
    #[error(
        "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got {parameter} in {header} content-type"
    )]
    Parameter {
        /// The parameter.
        parameter: String,
        /// The whole header.
        header: String,
    },
    /// Another message.
    #[error(
        "got {header} content type; unknown remote write protobuf message {message}, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
    )]
    Message {
        /// The message.
        message: String,
        /// The whole header.
        header: String,
    },
}

impl Version {
    /// What a `Content-Type` header says; 1.0 without one, and without `proto`. Names are compared without regard to case, and
    /// white space around `;` does not count, as HTTP has it.
    ///
    /// # Errors
    /// If it says something else.
    pub fn of_header(content_type: Option<&str>) -> Result<Self, VersionError> {
        let header = content_type.unwrap_or("").trim();
        if header.is_empty() {
            return Ok(Self::V1);
        }
        let mut parts = header.split(';').map(str::trim);
        if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case(MEDIA_TYPE)) {
            return Err(VersionError::MediaType(header.to_owned()));
        }
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else {
                let parameter = parameter.to_owned();
                return Err(VersionError::Parameter { parameter, header: header.to_owned() });
            };
            if !name.trim().eq_ignore_ascii_case("proto") {
                continue;
            }
            return match value.trim().trim_matches('"') {
                "prometheus.WriteRequest" => Ok(Self::V1),
                "io.prometheus.write.v2.Request" => Ok(Self::V2),
                other => Err(VersionError::Message { message: other.to_owned(), header: header.to_owned() }),
            };
        }
        Ok(Self::V1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let check = |header: &str, expect: Result<Version, &str>| {
            let found = Version::of_header(Some(header)).map_err(|error| error.to_string());
            assert_eq!(found.as_ref().map_err(|e| &**e), expect.as_ref().map_err(|e| *e), "{header}");
        };
        assert_eq!(Version::of_header(None), Ok(Version::V1));
        check("", Ok(Version::V1));
        check("application/x-protobuf", Ok(Version::V1));
        check("Application/X-Protobuf", Ok(Version::V1));
        check("application/x-protobuf;proto=prometheus.WriteRequest", Ok(Version::V1));
        check("application/x-protobuf;charset=x;proto=io.prometheus.write.v2.Request", Ok(Version::V2));
        check("application/x-protobuf ; Proto=\"io.prometheus.write.v2.Request\"", Ok(Version::V2));
        check(
            "text/plain",
            Err("expected application/x-protobuf as the first (media) part, got text/plain content-type"),
        );
        check(
            "application/x-protobuf;charset",
            Err(
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got charset in application/x-protobuf;charset content-type",
            ),
        );
        check(
            "application/x-protobuf;proto=foo",
            Err(
                "got application/x-protobuf;proto=foo content type; unknown remote write protobuf message foo, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
            ),
        );
    }
}
