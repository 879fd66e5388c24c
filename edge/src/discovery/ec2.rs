//! Instances of EC2, by its query API: a signed form, answered with XML.

use std::collections::BTreeMap;

use config::Ec2Filter;
use model::{Labels, LabelsBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::aws::{AwsTargetsError, PAGES_MAX, TIMEOUT, address_of, set_tags};
use crate::aws::{AwsRequest, AwsService, TOLD_CHARS};

/// The API's date.
const VERSION: &str = "2016-11-15";
const CONTENT: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// So many instances are asked for at once; EC2 takes no more.
const PAGE: usize = 1_000;
const PAGE_BYTES_MAX: usize = 32 << 20;
/// An instance has fewer interfaces.
const INTERFACES_MAX: usize = 256;
/// A filter takes so many values.
const VALUES_MAX: usize = 200;
const SEPARATOR: &str = ",";

/// The instances of a region.
#[derive(Debug)]
pub(super) struct Ec2 {
    service: AwsService,
    /// The IDs of availability zones by their names, once they are known.
    zones: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zones {
    #[serde(default)]
    availability_zone_info: List<Zone>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zone {
    zone_name: String,
    zone_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    reservation_set: List<Reservation>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    owner_id: Option<String>,
    #[serde(default)]
    instances_set: List<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    instance_id: String,
    private_ip_address: Option<String>,
    private_dns_name: Option<String>,
    #[serde(rename = "ipAddress")]
    public_ip: Option<String>,
    #[serde(rename = "dnsName")]
    public_dns_name: Option<String>,
    image_id: Option<String>,
    instance_type: Option<String>,
    instance_lifecycle: Option<String>,
    architecture: Option<String>,
    platform: Option<String>,
    vpc_id: Option<String>,
    subnet_id: Option<String>,
    #[serde(default)]
    placement: Placement,
    #[serde(default)]
    instance_state: State,
    #[serde(default)]
    network_interface_set: List<Interface>,
    #[serde(default)]
    tag_set: List<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placement {
    availability_zone: Option<String>,
}

#[derive(Default, Deserialize)]
struct State {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    subnet_id: Option<String>,
    attachment: Option<Attachment>,
    #[serde(default)]
    ipv6_addresses_set: List<Ipv6>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    device_index: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ipv6 {
    ipv6_address: String,
    is_primary_ipv6: Option<bool>,
}

#[derive(Deserialize)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interfaces {
    #[serde(default)]
    network_interface_set: List<NamedInterface>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedInterface {
    network_interface_id: String,
    association: Option<Association>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Association {
    public_ip: Option<String>,
}

/// An instance that others run on. What it does not have is empty.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) private_ip: String,
    pub(super) public_ip: String,
    pub(super) subnet_id: String,
    pub(super) instance_type: String,
    pub(super) tags: Vec<(String, String)>,
}

/// What stands in the place of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    errors: Errors,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Errors {
    error: RefusalError,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RefusalError {
    code: String,
    #[serde(default)]
    message: String,
}

impl Ec2 {
    /// Through a service that is EC2.
    pub(super) fn new(service: AwsService) -> Self {
        Self { service, zones: None }
    }

    /// The targets that instances are, which all filters admit, at one port. Instances without a private address are none.
    ///
    /// # Errors
    /// If EC2 does not say all of them.
    pub(super) async fn targets(
        &mut self,
        filters: &[Ec2Filter],
        port: u16,
    ) -> Result<Vec<Labels>, AwsTargetsError> {
        if self.zones.is_none() {
            match self.ask::<Zones>("DescribeAvailabilityZones", &[]).await {
                Ok(Zones { availability_zone_info: List { item } }) => {
                    self.zones = Some(item.into_iter().map(|zone| (zone.zone_name, zone.zone_id)).collect());
                }
                // as in Prometheus: it takes a right of its own, and who does without these IDs need not give it
                Err(error) => tracing::debug!(%error, "IDs of availability zones are not known"),
            }
        }
        let known = Known { region: self.service.region().await?, zones: self.zones.as_ref(), port };
        let mut targets = Vec::new();
        self.instances(filtered(filters), |owner, instance| {
            targets.extend(instance.target(owner, &known));
        })
        .await?;
        Ok(targets)
    }

    /// Instances that have a private address, by their IDs.
    ///
    /// # Errors
    /// If EC2 does not say all that it knows of them.
    pub(super) async fn hosts(&self, ids: Vec<String>) -> Result<BTreeMap<String, Host>, AwsTargetsError> {
        let mut hosts = BTreeMap::new();
        for asked in named("instance-id", &ids) {
            self.instances(asked, |_, instance| {
                hosts.extend(instance.host().map(|host| (instance.instance_id.clone(), host)));
            })
            .await?;
        }
        Ok(hosts)
    }

    /// The public addresses of network interfaces that have one, by their IDs.
    ///
    /// # Errors
    /// If EC2 does not say all that it knows of them.
    pub(super) async fn public_addresses(
        &self,
        ids: Vec<String>,
    ) -> Result<BTreeMap<String, String>, AwsTargetsError> {
        let mut addresses = BTreeMap::new();
        for asked in named("network-interface-id", &ids) {
            self.pages("DescribeNetworkInterfaces", asked, |page: Interfaces| {
                for interface in page.network_interface_set.item {
                    let address = interface.association.and_then(|associated| associated.public_ip);
                    addresses.extend(address.map(|address| (interface.network_interface_id, address)));
                }
                page.next_token
            })
            .await?;
        }
        Ok(addresses)
    }

    /// Calls `take` with the owner of each instance and the instance.
    async fn instances(
        &self,
        asked: Vec<(String, String)>,
        mut take: impl FnMut(Option<&str>, &Instance),
    ) -> Result<(), AwsTargetsError> {
        self.pages("DescribeInstances", asked, |page: Page| {
            for Reservation { owner_id, instances_set } in &page.reservation_set.item {
                for instance in &instances_set.item {
                    take(owner_id.as_deref(), instance);
                }
            }
            page.next_token
        })
        .await
    }

    /// Calls `take` with each page, which gives the token of the next one.
    async fn pages<T: DeserializeOwned>(
        &self,
        action: &'static str,
        asked: Vec<(String, String)>,
        mut take: impl FnMut(T) -> Option<String>,
    ) -> Result<(), AwsTargetsError> {
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let mut asked = asked.clone();
            asked.push(("MaxResults".to_owned(), PAGE.to_string()));
            asked.extend(token.map(|token| ("NextToken".to_owned(), token)));
            token = take(self.ask(action, &asked).await?).filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(());
            }
        }
        Err(AwsTargetsError::Endless { action })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        action: &'static str,
        asked: &[(String, String)],
    ) -> Result<T, AwsTargetsError> {
        let asked = AwsRequest {
            content_type: CONTENT,
            target: None,
            body: form(action, asked).into_bytes(),
            bytes_max: PAGE_BYTES_MAX,
            timeout: TIMEOUT,
        };
        let (status, answer) = self.service.ask(asked).await?;
        let text = String::from_utf8_lossy(&answer);
        if !status.is_success() {
            return Err(AwsTargetsError::Refused { action, status, reason: refusal(&text) });
        }
        quick_xml::de::from_str(&text).map_err(|source| AwsTargetsError::Xml { action, source })
    }
}

fn form(action: &str, asked: &[(String, String)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", VERSION).extend_pairs(asked).finish()
}

/// Filters as parameters, which are numbered from 1.
fn filtered(filters: &[Ec2Filter]) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for (filter, number) in filters.iter().zip(1..) {
        asked.push((format!("Filter.{number}.Name"), filter.name.clone()));
        let values = filter.values.iter().zip(1..);
        asked.extend(values.map(|(value, of)| (format!("Filter.{number}.Value.{of}"), value.clone())));
    }
    asked
}

/// What asks for all that has one of these for a name, in as many requests as it takes. Unlike a list of IDs, filters do not fail where
/// one of them is gone.
fn named<'a>(name: &'a str, ids: &'a [String]) -> impl Iterator<Item = Vec<(String, String)>> {
    ids.chunks(VALUES_MAX)
        .map(move |ids| filtered(&[Ec2Filter { name: name.to_owned(), values: ids.to_vec() }]))
}

/// The kind of an error, and what is said of it.
fn refusal(answer: &str) -> String {
    let Ok(Refusal { errors: Errors { error } }) = quick_xml::de::from_str(answer) else {
        return "no reason".to_owned();
    };
    format!("{}: {}", error.code, error.message).chars().take(TOLD_CHARS).collect()
}

/// What targets have that no instance says.
struct Known<'a> {
    region: String,
    zones: Option<&'a BTreeMap<String, String>>,
    port: u16,
}

impl Instance {
    /// Its labels, if it has a private address.
    fn target(&self, owner: Option<&str>, known: &Known) -> Option<Labels> {
        let address = self.private_ip_address.as_deref()?;
        let zone = self.placement.availability_zone.as_deref();
        let zone_id = zone.and_then(|zone| known.zones?.get(zone)).map(String::as_str);
        let public = self.public_ip.as_ref().map(|_| self.public_dns_name.as_deref());
        let mut labels = LabelsBuilder::default();
        labels.set("__address__", address_of(address, known.port));
        for (name, value) in [
            ("ami", self.image_id.as_deref()),
            ("architecture", self.architecture.as_deref()),
            ("availability_zone", zone),
            ("availability_zone_id", zone_id),
            ("instance_id", Some(&*self.instance_id)),
            ("instance_lifecycle", self.instance_lifecycle.as_deref()),
            ("instance_state", self.instance_state.name.as_deref()),
            ("instance_type", self.instance_type.as_deref()),
            ("owner_id", owner),
            ("platform", self.platform.as_deref()),
            ("private_dns_name", self.private_dns_name.as_deref()),
            ("private_ip", Some(address)),
            ("public_dns_name", public.flatten()),
            ("public_ip", self.public_ip.as_deref()),
            ("region", Some(&*known.region)),
        ] {
            labels.set(format!("__meta_ec2_{name}"), value.unwrap_or_default());
        }
        if let Some(vpc) = &self.vpc_id {
            labels.set("__meta_ec2_vpc_id", vpc.as_str());
            labels.set("__meta_ec2_primary_subnet_id", self.subnet_id.as_deref().unwrap_or_default());
            self.networks(&mut labels);
        }
        set_tags(&mut labels, "__meta_ec2_tag_", self.tag_set.pairs());
        Some(labels.build())
    }

    fn host(&self) -> Option<Host> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Some(Host {
            private_ip: self.private_ip_address.clone()?,
            public_ip: text(&self.public_ip),
            subnet_id: text(&self.subnet_id),
            instance_type: text(&self.instance_type),
            tags: self.tag_set.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    }

    /// What its interfaces have, as far as they are in a subnet.
    fn networks(&self, labels: &mut LabelsBuilder) {
        let (mut subnets, mut addresses, mut primary) = (Vec::new(), Vec::new(), Vec::new());
        for interface in &self.network_interface_set.item {
            let Some(subnet) = interface.subnet_id.as_deref() else { continue };
            if !subnets.contains(&subnet) {
                subnets.push(subnet);
            }
            for address in &interface.ipv6_addresses_set.item {
                addresses.push(address.ipv6_address.as_str());
                let place = interface.attachment.as_ref().and_then(|attachment| attachment.device_index);
                let place = place.filter(|place| *place < INTERFACES_MAX);
                if let (Some(true), Some(place)) = (address.is_primary_ipv6, place) {
                    // the place of an address in the list says which interface has it
                    primary.resize(primary.len().max(place + 1), "");
                    primary[place] = &address.ipv6_address;
                }
            }
        }
        labels.set("__meta_ec2_subnet_id", listed(&subnets));
        for (name, addresses) in
            [("__meta_ec2_ipv6_addresses", addresses), ("__meta_ec2_primary_ipv6_addresses", primary)]
        {
            if !addresses.is_empty() {
                labels.set(name, listed(&addresses));
            }
        }
    }
}

impl List<Tag> {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.item.iter().filter_map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref()?)))
    }
}

/// With a comma on both sides of each, so that one is found whichever it is.
fn listed(values: &[&str]) -> String {
    format!("{SEPARATOR}{}{SEPARATOR}", values.join(SEPARATOR))
}
