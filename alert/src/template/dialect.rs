//! Who offers a template: Prometheus to rules, or Alertmanager to notifications.

/// Decides which functions there are, and what maps and lists can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// In labels and annotations of rules.
    Rules,
    /// In what is sent to receivers.
    Notifications,
}
