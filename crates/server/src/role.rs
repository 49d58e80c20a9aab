//! What a caller is to this installation, and what that permits. `docs/api.md` has the table.

use allod_answer::Caller;
use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::identity::Identity;
use crate::problem::Problem;

/// The tenant of an auditor who may see the records of all.
pub const ALL_TENANTS: &str = "*";

/// The roles, as keys and the policy name them.
pub const ROLES: [&str; 5] = ["user", "reviewer", "auditor", "monitor", "operator"];

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Asks, and sees what the tenant may see.
    User,
    /// Also sees the words of the tenant's requests and decides its review queue.
    Reviewer,
    /// Checks the records and sees nobody's words.
    Auditor,
    /// A program that collects metrics.
    Monitor,
    /// Does all of this for all tenants.
    Operator,
}

/// What a request needs its caller to be permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Seeing what this server is: its state, its models, its interface.
    Look,
    /// Having a model or the search run, and what prepares that.
    Ask,
    /// Reading documents.
    Documents,
    /// Seeing receipts and proofs.
    Records,
    /// Checking the whole log, seeing what was in force when.
    Audit,
    /// Seeing the review queue.
    Reviews,
    /// Deciding it.
    Decide,
    /// Seeing how much is done here, by all tenants together.
    Metrics,
    /// Changing what answers.
    Manage,
}

impl Right {
    const ALL: [Right; 9] = [
        Right::Look,
        Right::Ask,
        Right::Documents,
        Right::Records,
        Right::Audit,
        Right::Reviews,
        Right::Decide,
        Right::Metrics,
        Right::Manage,
    ];

    fn name(self) -> &'static str {
        match self {
            Right::Look => "look",
            Right::Ask => "ask",
            Right::Documents => "documents",
            Right::Records => "records",
            Right::Audit => "audit",
            Right::Reviews => "reviews",
            Right::Decide => "decide",
            Right::Metrics => "metrics",
            Right::Manage => "manage",
        }
    }
}

impl Role {
    /// The role of this name. One that this version does not know may do the least.
    pub(crate) fn read(name: &str) -> Role {
        Role::known(name).unwrap_or(Role::User)
    }

    /// The role of this name, if there is one.
    pub(crate) fn known(name: &str) -> Option<Role> {
        match name {
            "user" => Some(Role::User),
            "reviewer" => Some(Role::Reviewer),
            "auditor" => Some(Role::Auditor),
            "monitor" => Some(Role::Monitor),
            "operator" => Some(Role::Operator),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Reviewer => "reviewer",
            Role::Auditor => "auditor",
            Role::Monitor => "monitor",
            Role::Operator => "operator",
        }
    }

    /// Whether the role has a right.
    pub(crate) fn may(self, right: Right) -> bool {
        use Right::{Ask, Audit, Decide, Documents, Look, Manage, Metrics, Records, Reviews};
        match right {
            Look => true,
            Ask | Documents | Reviews => {
                matches!(self, Role::User | Role::Reviewer | Role::Operator)
            }
            Records => self != Role::Monitor,
            Decide => matches!(self, Role::Reviewer | Role::Operator),
            Audit => matches!(self, Role::Auditor | Role::Operator),
            Metrics => matches!(self, Role::Auditor | Role::Monitor | Role::Operator),
            Manage => self == Role::Operator,
        }
    }

    /// The names of the rights that the role has.
    pub(crate) fn rights(self) -> Vec<&'static str> {
        let rights = Right::ALL.into_iter().filter(|right| self.may(*right));
        rights.map(Right::name).collect()
    }

    /// Whether records of `tenant` are to be seen by a caller with this role.
    pub(crate) fn sees_tenant(self, caller: &Caller, tenant: &str) -> bool {
        let all = self == Role::Auditor && caller.tenant == ALL_TENANTS;
        self == Role::Operator || all || caller.tenant == tenant
    }
}

/// Lets a known caller through who has the right.
pub(crate) async fn permit(
    State(right): State<Right>,
    Extension(identity): Extension<Identity>,
    request: Request,
    next: Next,
) -> Response {
    match identity.role.may(right) {
        true => next.run(request).await,
        false => refusal(identity.role, right).into_response(),
    }
}

fn refusal(role: Role, right: Right) -> Problem {
    let (code, message) = match right {
        Right::Decide => ("not_reviewer", "only a reviewer or an operator may decide a review"),
        Right::Audit => ("not_auditor", "only an auditor or an operator may do this"),
        Right::Metrics => ("not_monitor", "only a monitor, an auditor or an operator may do this"),
        Right::Manage => ("not_operator", "only an operator may do this"),
        Right::Ask => ("not_permitted", "this role may not ask"),
        Right::Look | Right::Documents | Right::Records | Right::Reviews => {
            ("not_permitted", "this role may not see this")
        }
    };
    Problem::forbidden(code, format!("{message}; your key has the role {}", role.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_retrieval::Clearance;

    fn caller(tenant: &str) -> Caller {
        let clearance = Clearance::public();
        Caller { tenant: tenant.into(), ..Caller::operator(clearance) }
    }

    #[test]
    fn every_name_is_a_role_and_any_other_may_do_the_least() {
        for name in ROLES {
            assert_eq!(Role::known(name).map(Role::name), Some(name));
        }
        assert_eq!(Role::read("Operator"), Role::User);
    }

    #[test]
    fn only_an_operator_and_an_auditor_of_all_see_another_tenant() {
        let own = caller("own");
        for role in [Role::User, Role::Reviewer, Role::Auditor, Role::Monitor] {
            assert!(role.sees_tenant(&own, "own") && !role.sees_tenant(&own, "other"));
        }
        assert!(Role::Operator.sees_tenant(&own, "other"));
        let all = caller(ALL_TENANTS);
        assert!(Role::Auditor.sees_tenant(&all, "other"));
        for role in [Role::User, Role::Reviewer, Role::Monitor] {
            assert!(!role.sees_tenant(&all, "other"), "{role:?}");
        }
    }
}
