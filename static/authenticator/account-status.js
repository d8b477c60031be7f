// The status of an account, as the server last reported it.

// withStatus is an account with the status that the server reports.
export const withStatus = (account, status) =>
	({ ...account, state: status.state, tries: status.pin?.attempts_left, push: status.push, name: status.name, organisation: status.organisation, user: status.user });

// isFinal reports whether a state is one that the account does not leave.
export const isFinal = (state) => ["revoked", "inactive", "unknown"].includes(state);

// pushEnabled reports whether push requests are sent to an account.
export const pushEnabled = ({ state, push }) => state === "active" && push?.state === "enabled" && push.allowed;
