//! What both edges, server and functions, share: opening a storage URL, wiring the roles, talking HTTP.
