//! What one plan changes of another, in words.

use std::collections::BTreeMap;

use koigate_config::Report;
use koigate_core::guards::{Guards, Sight};
use koigate_core::plan::{Admin, Backend, BackendId, Chain, Log, Plan, Server};
use koigate_core::pointer::Pointer;

/// What a reload has changed.
#[derive(Debug, Clone)]
pub struct Changes {
    /// A line for each part of the configuration: `backend columns: url, timeout`, `backend rank: added`,
    /// `hook onResult: chain`. None where nothing has changed.
    pub lines: Vec<String>,
    /// The keys whose new values wait for a restart: `server.listen`.
    pub needs_restart: Vec<&'static str>,
    /// What the author of the new configuration should know.
    pub warnings: Report,
}

/// What a running process can't change, as it was started.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    server: Server,
    admin: Admin,
    log: Log,
}

/// What hooks notice of a new plan, a line for each part; in the order of the new file, what has gone at the end.
pub(super) fn changes(old: &Plan, new: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(part("server", &server(&old.server, &new.server)));
    lines.extend(part("admin", &admin(&old.admin, &new.admin)));
    lines.extend(part("log", &log(old.log, new.log)));
    backends(old, new, &mut lines);
    hooks(old, new, &mut lines);
    lines
}

fn backends(old: &Plan, new: &Plan, lines: &mut Vec<String>) {
    let by_name = |plan: &Plan| -> BTreeMap<_, _> {
        plan.backends
            .iter()
            .map(|b| (b.name.clone(), b.clone()))
            .collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    for backend in &new.backends {
        match before.get(&backend.name) {
            None => lines.push(format!("backend {}: added", backend.name)),
            Some(was) => lines.extend(part(&format!("backend {}", backend.name), &fields(was, backend))),
        }
    }
    let gone = old.backends.iter().filter(|was| !after.contains_key(&was.name));
    lines.extend(gone.map(|was| format!("backend {}: removed", was.name)));
}

fn hooks(old: &Plan, new: &Plan, lines: &mut Vec<String>) {
    for (name, chain) in &new.chains {
        match old.chains.get(name) {
            None => lines.push(format!("hook {name}: added")),
            Some(was) => lines.extend(part(&format!("hook {name}"), &rules((old, was), (new, chain)))),
        }
    }
    let gone = old.chains.keys().filter(|name| !new.chains.contains_key(*name));
    lines.extend(gone.map(|name| format!("hook {name}: removed")));
}

fn part(name: &str, keys: &[&str]) -> Option<String> {
    (!keys.is_empty()).then(|| format!("{name}: {}", keys.join(", ")))
}

/// The names of those that differ.
fn differing<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    let differ = keys.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(key, _)| key).collect()
}

// The plan's types are taken apart whole below, so that a field that comes later can't be forgotten here.

fn server(old: &Server, new: &Server) -> Vec<&'static str> {
    let Server {
        listen: _,
        path,
        max_body,
        max_in_flight,
        max_buffered,
        max_connections,
        max_connections_per_address,
        drain,
        lame_duck,
        threads: _,
        tls,
        auth,
        allow,
    } = new;
    differing([
        ("path", old.path != *path),
        ("max_body", old.max_body != *max_body),
        ("max_in_flight", old.max_in_flight != *max_in_flight),
        ("max_buffered", old.max_buffered != *max_buffered),
        ("max_connections", old.max_connections != *max_connections),
        (
            "max_connections_per_address",
            old.max_connections_per_address != *max_connections_per_address,
        ),
        ("drain", old.drain != *drain),
        ("lame_duck", old.lame_duck != *lame_duck),
        ("tls", old.tls != *tls),
        ("auth", old.auth != *auth),
        ("allow", old.allow != *allow),
    ])
}

fn admin(old: &Admin, new: &Admin) -> Vec<&'static str> {
    let Admin {
        listen: _,
        auth,
        traces,
    } = new;
    differing([("auth", old.auth != *auth), ("traces", old.traces != *traces)])
}

fn log(old: Log, new: Log) -> Vec<&'static str> {
    let Log { format: _, level } = new;
    differing([("level", old.level != level)])
}

fn fields(old: &Backend, new: &Backend) -> Vec<&'static str> {
    let Backend {
        name: _,
        replicas,
        timeout,
        connect_timeout,
        on_failure,
        failure_statuses,
        headers,
        max_reply,
        max_in_flight,
        retries,
        breaker,
        health,
        tls,
        always_finish,
        when,
        sign,
        guards,
        queue,
    } = new;
    let Guards {
        sight,
        keys,
        may_change,
        may,
    } = guards;
    differing([
        ("url", old.replicas != *replicas),
        ("timeout", old.timeout != *timeout),
        ("connect_timeout", old.connect_timeout != *connect_timeout),
        ("on_failure", old.on_failure != *on_failure),
        ("failure_statuses", old.failure_statuses != *failure_statuses),
        ("headers", old.headers != *headers),
        ("max_reply", old.max_reply != *max_reply),
        ("max_in_flight", old.max_in_flight != *max_in_flight),
        ("retries", old.retries != *retries),
        ("breaker", old.breaker != *breaker),
        ("health", old.health != *health),
        ("tls", old.tls != *tls),
        ("always_finish", old.always_finish != *always_finish),
        ("when", old.when != *when),
        ("sign", old.sign != *sign),
        ("hide", hidden(&old.guards.sight) != hidden(sight)),
        ("show", shown(&old.guards.sight) != shown(sight)),
        ("keys", old.guards.keys != *keys),
        ("may_change", old.guards.may_change != *may_change),
        ("may", old.guards.may != *may),
        ("queue", old.queue != *queue),
    ])
}

fn rules((old_plan, old): (&Plan, &Chain), (new_plan, new): (&Plan, &Chain)) -> Vec<&'static str> {
    let Chain {
        stages: _,
        deadline,
        reject,
        on_conflict,
        images,
        table_guard,
        shadows,
        observers,
    } = new;
    differing([
        ("chain", names(old_plan, old) != names(new_plan, new)),
        ("deadline", old.deadline != *deadline),
        ("reject", old.reject != *reject),
        ("on_conflict", old.on_conflict != *on_conflict),
        ("images", old.images != *images),
        ("table_guard", old.table_guard != *table_guard),
        (
            "shadow",
            named(old_plan, &old.shadows) != named(new_plan, shadows),
        ),
        (
            "observers",
            named(old_plan, &old.observers) != named(new_plan, observers),
        ),
    ])
}

fn hidden(sight: &Sight) -> &[Pointer] {
    match sight {
        Sight::Hide(places) => places,
        Sight::Whole | Sight::Show(_) => &[],
    }
}

fn shown(sight: &Sight) -> Option<&[Pointer]> {
    match sight {
        Sight::Show(places) => Some(places),
        Sight::Whole | Sight::Hide(_) => None,
    }
}

/// A chain by names: ids are places in one plan, and another has other places.
fn names<'p>(plan: &'p Plan, chain: &Chain) -> Vec<Vec<&'p str>> {
    let stages = chain.stages.iter();
    stages.map(|stage| named(plan, &stage.backends)).collect()
}

fn named<'p>(plan: &'p Plan, ids: &[BackendId]) -> Vec<&'p str> {
    let backends = ids.iter().filter_map(|id| plan.backend(*id));
    backends.map(|backend| &*backend.name).collect()
}

// === impl Fixed ===

impl Fixed {
    /// As a process begins with this plan.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            server: plan.server.clone(),
            admin: plan.admin.clone(),
            log: plan.log,
        }
    }

    /// The keys that this plan has other values for.
    pub(super) fn waiting(&self, plan: &Plan) -> Vec<&'static str> {
        differing([
            ("server.listen", self.server.listen != plan.server.listen),
            ("server.threads", self.server.threads != plan.server.threads),
            ("admin.listen", self.admin.listen != plan.admin.listen),
            ("log.format", self.log.format != plan.log.format),
        ])
    }
}

#[cfg(test)]
mod tests;
