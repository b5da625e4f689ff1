//! Vocabularies of usage policies: what may be done, and for which purpose.

use super::terms;

/// ODRL 2.2: <https://www.w3.org/TR/odrl-vocab/>.
pub mod odrl {
    super::terms! {
        "http://www.w3.org/ns/odrl/2/";
        // Policies
        AGREEMENT = "Agreement",
        OFFER = "Offer",
        POLICY = "Policy",
        SET = "Set",
        CONFLICT = "conflict",
        INHERIT_FROM = "inheritFrom",
        INVALID = "invalid",
        PERM = "perm",
        PROFILE = "profile",
        PROFILE_CLASS = "Profile",
        PROHIBIT = "prohibit",
        UID = "uid",
        // Rules
        PERMISSION = "permission",
        PERMISSION_CLASS = "Permission",
        PROHIBITION = "prohibition",
        PROHIBITION_CLASS = "Prohibition",
        RULE = "Rule",
        CONSEQUENCE = "consequence",
        DUTY = "duty",
        DUTY_CLASS = "Duty",
        OBLIGATION = "obligation",
        REMEDY = "remedy",
        // Parties, assets
        ASSIGNEE = "assignee",
        ASSIGNER = "assigner",
        PARTY = "Party",
        ASSET = "Asset",
        ASSET_COLLECTION = "AssetCollection",
        HAS_POLICY = "hasPolicy",
        OUTPUT = "output",
        PARTY_COLLECTION = "PartyCollection",
        PART_OF = "partOf",
        REFINEMENT = "refinement",
        SOURCE = "source",
        TARGET = "target",
        // Parties by what they do
        ATTRIBUTED_PARTY = "attributedParty",
        ATTRIBUTING_PARTY = "attributingParty",
        COMPENSATED_PARTY = "compensatedParty",
        COMPENSATING_PARTY = "compensatingParty",
        CONSENTED_PARTY = "consentedParty",
        CONSENTING_PARTY = "consentingParty",
        CONTRACTED_PARTY = "contractedParty",
        CONTRACTING_PARTY = "contractingParty",
        INFORMED_PARTY = "informedParty",
        INFORMING_PARTY = "informingParty",
        TRACKED_PARTY = "trackedParty",
        TRACKING_PARTY = "trackingParty",
        // Actions
        ACTION = "action",
        ACTION_CLASS = "Action",
        IMPLIES = "implies",
        INCLUDED_IN = "includedIn",
        AGGREGATE = "aggregate",
        DELETE = "delete",
        DERIVE = "derive",
        DISTRIBUTE = "distribute",
        EXTRACT = "extract",
        GIVE = "give",
        INDEX = "index",
        MODIFY = "modify",
        READ = "read",
        REPRODUCE = "reproduce",
        SELL = "sell",
        TRANSFER = "transfer",
        USE = "use",
        // Constraints
        CONSTRAINT = "constraint",
        CONSTRAINT_CLASS = "Constraint",
        LOGICAL_CONSTRAINT = "LogicalConstraint",
        AND = "and",
        AND_SEQUENCE = "andSequence",
        OR = "or",
        XONE = "xone",
        DATA_TYPE = "dataType",
        LEFT_OPERAND = "leftOperand",
        LEFT_OPERAND_CLASS = "LeftOperand",
        OPERATOR = "operator",
        RIGHT_OPERAND = "rightOperand",
        RIGHT_OPERAND_REFERENCE = "rightOperandReference",
        STATUS = "status",
        UNIT = "unit",
        COUNT = "count",
        DATE_TIME = "dateTime",
        DELAY_PERIOD = "delayPeriod",
        ELAPSED_TIME = "elapsedTime",
        EVENT = "event",
        METERED_TIME = "meteredTime",
        POLICY_USAGE = "policyUsage",
        PURPOSE = "purpose",
        TIME_INTERVAL = "timeInterval",
        // Operators
        EQ = "eq",
        GT = "gt",
        GTEQ = "gteq",
        HAS_PART = "hasPart",
        IS_A = "isA",
        IS_ALL_OF = "isAllOf",
        IS_ANY_OF = "isAnyOf",
        IS_NONE_OF = "isNoneOf",
        IS_PART_OF = "isPartOf",
        LT = "lt",
        LTEQ = "lteq",
        NEQ = "neq",
    }
}

/// Data Privacy Vocabulary, the purposes we refer to: <https://w3id.org/dpv>.
pub mod dpv {
    super::terms! {
        "https://w3id.org/dpv#";
        PUBLIC_BENEFIT = "PublicBenefit",
        PURPOSE = "Purpose",
    }
}

/// Data Privacy Vocabulary, infrastructure sector: <https://w3id.org/dpv/sector/infra>.
pub mod sector_infra {
    super::terms! {
        "https://w3id.org/dpv/sector/infra#";
        CRITICAL_EMERGENCY_RESPONSE_COMMUNICATION_MANAGEMENT = "CriticalEmergencyResponseCommunicationManagement",
        CRITICAL_EMERGENCY_RESPONSE_DISPATCH_MANAGEMENT = "CriticalEmergencyResponseDispatchManagement",
        CRITICAL_EMERGENCY_RESPONSE_MANAGEMENT = "CriticalEmergencyResponseManagement",
        CRITICAL_EMERGENCY_RESPONSE_TRIAGE = "CriticalEmergencyResponseTriage",
        CRITICAL_INFRASTRUCTURE_MANAGEMENT = "CriticalInfrastructureManagement",
        INFRASTRUCTURE_MANAGEMENT = "InfrastructureManagement",
    }
}
