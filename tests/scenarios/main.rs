//! Numbered scenarios against the real binaries, hermetic.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "an edge: real processes in real time")]

mod documents;
mod s01_push_then_query;
mod s02_kill_and_restart;
mod s03_function;
mod s04_alert;
mod s05_demo;
mod s06_infra;
mod s07_damage;
mod s08_test_promql;
mod s09_features;
mod s10_aggregate;
mod s11_rule_files;
mod s12_remote_write;
mod s13_rule_reload;
mod s14_compact;
mod s15_config;
mod s17_store;
mod s18_jobs;
mod s19_replay;
mod s20_delete;
mod s21_disk_cache;
mod s22_access;
mod s23_web_config;
mod s24_exemplars;
mod s25_limits;
mod s26_tenants;
mod s27_command_line;
mod s28_remote_read;
mod s29_query_port;
mod s31_queries_watched;
mod s32_push_command;
mod s33_notifications;
mod s34_scrape;
mod s36_hostile_queries;
mod s37_freshness;
