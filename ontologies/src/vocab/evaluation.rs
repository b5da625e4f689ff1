//! Vocabularies of the drafts on how policies are evaluated: what is asked, what is the case, what came out.

use super::terms;

/// Evaluation reports: <https://w3id.org/force/compliance-report>.
pub mod compliance_report {
    super::terms! {
        "https://w3id.org/force/compliance-report#";
        // Reports
        ACTION_REPORT = "ActionReport",
        CONSTRAINT_REPORT = "ConstraintReport",
        DUTY_REPORT = "DutyReport",
        PARTY_REPORT = "PartyReport",
        PERMISSION_REPORT = "PermissionReport",
        POLICY_REPORT = "PolicyReport",
        PROHIBITION_REPORT = "ProhibitionReport",
        TARGET_REPORT = "TargetReport",
        // What they are about
        CONDITION_REPORT = "conditionReport",
        CONSTRAINT = "constraint",
        CONSTRAINT_LEFT_OPERAND = "constraintLeftOperand",
        CONSTRAINT_LOGICAL_OPERAND = "constraintLogicalOperand",
        CONSTRAINT_OPERATOR = "constraintOperator",
        CONSTRAINT_RIGHT_OPERAND = "constraintRightOperand",
        POLICY = "policy",
        POLICY_REQUEST = "policyRequest",
        PREMISE_REPORT = "premiseReport",
        RULE = "rule",
        RULE_REPORT = "ruleReport",
        RULE_REQUEST = "ruleRequest",
        // States
        ACTIVATION_STATE = "activationState",
        ACTIVE = "Active",
        ATTEMPTED = "Attempted",
        ATTEMPT_STATE = "attemptState",
        DEONTIC_STATE = "deonticState",
        FULFILLED = "Fulfilled",
        INACTIVE = "Inactive",
        NON_SET = "NonSet",
        PERFORMANCE_STATE = "performanceState",
        PERFORMED = "Performed",
        SATISFACTION_STATE = "satisfactionState",
        SATISFIED = "Satisfied",
        UNKNOWN = "Unknown",
        UNPERFORMED = "Unperformed",
        UNSATISFIED = "Unsatisfied",
        VIOLATED = "Violated",
    }
}

/// Evaluation requests and states of the world: <https://w3id.org/force/sotw>.
pub mod sotw {
    super::terms! {
        "https://w3id.org/force/sotw#";
        CURRENT_TIME = "currentTime",
        DESCRIBES_FEATURE = "describesFeature",
        EVALUATED_ACTION = "evaluatedAction",
        EVALUATED_PARTY = "evaluatedParty",
        EVALUATED_TARGET = "evaluatedTarget",
        EVALUATION_REQUEST = "EvaluationRequest",
        REQUESTED_ACTION = "requestedAction",
        REQUESTED_TARGET = "requestedTarget",
        REQUESTING_PARTY = "requestingParty",
        REQUEST_PARAMETER = "requestParameter",
        VALUE = "value",
    }
}
