// How an account stands, as the server last said.

// reported is an account with what the server says of it.
export const reported = (account, status) =>
	({ ...account, state: status.state, tries: status.pin?.attempts_left, push: status.push, name: status.name, organisation: status.organisation, user: status.user });

// dead says of a state that nothing comes after it here.
export const dead = (state) => ["revoked", "inactive", "unknown"].includes(state);

// rung says of an account that requests come to it.
export const rung = ({ state, push }) => state === "active" && push?.state === "enabled" && push.allowed;
