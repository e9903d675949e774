//! Who may do what in the console. One table, nothing else decides.

use serde::{Deserialize, Serialize};

/// What a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Auxiliary call-taker (辅警).
    Auxiliary,
    /// Regular call-taker (民警).
    Regular,
    /// Supervisor (值班长).
    Supervisor,
    /// Duty commander (指挥长).
    Commander,
    /// Technician (工程人员).
    Technician,
    /// Keeper of the accounts (系统管理员).
    Administrator,
}

/// Something a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Say that the alarm has been seen: stops the sound.
    Acknowledge,
    /// Take ownership of an incident.
    Answer,
    /// Offer, accept or withdraw a transfer.
    Transfer,
    /// Verify, dispatch and so on.
    Progress,
    /// Close with an outcome.
    Close,
    /// Open and close test windows.
    Test,
    /// Write the register of sites.
    Register,
    /// Register boxes, issue tickets, revoke.
    Enrol,
    /// Make and remove accounts.
    Accounts,
    /// Look at cameras without a press.
    Watch,
    /// Keep the recordings of an incident beyond their time.
    Hold,
    /// Add, rename and remove announcements.
    Announce,
}

impl Action {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Acknowledge,
        Self::Answer,
        Self::Transfer,
        Self::Progress,
        Self::Close,
        Self::Test,
        Self::Register,
        Self::Enrol,
        Self::Accounts,
        Self::Watch,
        Self::Hold,
        Self::Announce,
    ];
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Auxiliary,
        Self::Regular,
        Self::Supervisor,
        Self::Commander,
        Self::Technician,
        Self::Administrator,
    ];

    /// Whether this role may do that.
    pub fn may(self, action: Action) -> bool {
        use Action::{
            Acknowledge, Announce, Answer, Close, Enrol, Hold, Progress, Register, Test, Transfer, Watch,
        };
        match self {
            Self::Auxiliary => matches!(action, Acknowledge | Answer | Transfer | Progress),
            Self::Regular => matches!(action, Acknowledge | Answer | Transfer | Progress | Close | Watch),
            Self::Supervisor | Self::Commander => matches!(
                action,
                Acknowledge
                    | Answer
                    | Transfer
                    | Progress
                    | Close
                    | Test
                    | Register
                    | Watch
                    | Hold
                    | Announce
            ),
            Self::Technician => matches!(action, Test | Register | Enrol | Watch),
            // The first account of a new centre: it can set everything up, and see that it works.
            Self::Administrator => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        //                 ack    answer transf progr  close  test   regist enrol  account watch  hold   announce
        let table = [
            (
                Role::Auxiliary,
                [true, true, true, true, false, false, false, false, false, false, false, false],
            ),
            (Role::Regular, [true, true, true, true, true, false, false, false, false, true, false, false]),
            (Role::Supervisor, [true, true, true, true, true, true, true, false, false, true, true, true]),
            (Role::Commander, [true, true, true, true, true, true, true, false, false, true, true, true]),
            (
                Role::Technician,
                [false, false, false, false, false, true, true, true, false, true, false, false],
            ),
            (Role::Administrator, [true, true, true, true, true, true, true, true, true, true, true, true]),
        ];
        assert_eq!(table.map(|(role, _)| role), Role::ALL);
        for (role, may) in table {
            assert_eq!(Action::ALL.map(|action| role.may(action)), may, "{role:?}");
        }
    }
}
