//! OTLP for somebody who hands on what it says: nothing is stored here.

use std::sync::Arc;

use access::Room;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use wire::otlp::{Export, Format, Translation};
use wire::remote_write::Faults;

use crate::body::{self, Compression};
use crate::error::IngestError;
use crate::receiver::Exported;
use crate::settings::Settings;
use crate::{answer, otlp};

/// Who hands exports on. It answers at once: senders wait for it.
pub trait ExportTaker: Send + Sync {
    /// Takes an export that could be read, and says what of it was not taken: a fault for each data point, after those that were found
    /// when it was read.
    fn take(&self, export: Export) -> Faults;
}

struct Relay {
    settings: Settings,
    room: Arc<Room>,
    translation: Translation,
    taker: Arc<dyn ExportTaker>,
}

/// `/v1/metrics`, as OpenTelemetry's exporters post to it. What comes within the settings' limits goes to the taker.
pub fn export_router(settings: Settings, room: Arc<Room>, taker: Arc<dyn ExportTaker>) -> Router {
    let relay = Relay { settings, room, translation: Translation::default(), taker };
    Router::new().route("/v1/metrics", post(write)).with_state(Arc::new(relay))
}

async fn write(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    match exported(&relay, request).await {
        Ok((format, exported)) => otlp::success(format, &exported),
        Err(error) => answer::error(&error),
    }
}

async fn exported(relay: &Relay, request: Request) -> Result<(Format, Exported), IngestError> {
    let otlp::Kind { format, encoding } = otlp::kind(request.headers())?;
    let body = body::receive(request.into_body(), &relay.settings, &relay.room).await?;
    let (settings, translation) = (relay.settings.clone(), relay.translation.clone());
    let decode = move |body: &mut body::Received| {
        let is_json = format == Format::Json;
        let body = body.inflated(encoding, is_json, settings.inflated_body_bytes_max)?;
        if is_json && body.len() > settings.otlp_json_bytes_max {
            return Err(IngestError::OtlpJsonTooLarge { max: settings.otlp_json_bytes_max });
        }
        let message = wire::otlp::decode(format, &body, &settings.decoder_limits())?;
        Ok(wire::otlp::families(&message, &translation))
    };
    let export = body.decoded(Compression::Of(encoding), decode).await?;
    Ok((format, Exported { faults: relay.taker.take(export), remarks: Faults::default() }))
}
