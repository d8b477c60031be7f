package enroll

// CodeUse is what the MAC of a verification code is for.
var CodeUse = toEnroll.use

// ConsumeInvitation is the part of [Announce] that happens once.
var ConsumeInvitation = consumeInvitation
