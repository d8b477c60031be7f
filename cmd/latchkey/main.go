// Latchkey is an identity provider in one program: the server, a demo of it, an
// authenticator app for the terminal, and the commands operators work with.
//
// This package is flags, wiring and signals. What the commands do is in the
// packages below it, so that the operators' pages do the same.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/store"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// If the reader of our output stops reading, the write fails, and no signal
	// ends the program.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// commands are all commands, and the flags that all of them have.
type commands struct {
	Dir      string `placeholder:"DIR" help:"Folder with configuration, keys and database; for phone, with its accounts. Also LATCHKEY_DIR (for phone LATCHKEY_PHONE_DIR)."`
	Database string `placeholder:"SOURCE" help:"Another database than the configuration's: postgres://… or an SQLite file."`
	Tenant   string `placeholder:"SLUG" help:"Tenant to work in. Also LATCHKEY_TENANT. Default: the only one there is."`
	JSON     bool   `name:"json" help:"Say it as JSON."`

	ShowVersion versionFlag `name:"version" hidden:"" help:"Say which version this is."`

	Init    initCommand    `cmd:"" help:"Make a folder with configuration, keys, database and a first tenant."`
	Demo    demoCommand    `cmd:"" help:"Try Latchkey on this machine, with two applications, people and a mailbox."`
	Serve   serveCommand   `cmd:"" help:"Serve."`
	Migrate migrateCommand `cmd:"" help:"Bring the database up to date."`
	Config  struct {
		Validate configValidate `cmd:"" help:"Say all that is wrong with the configuration."`
	} `cmd:"" help:"The configuration."`
	Doctor doctorCommand `cmd:"" help:"Look everything over, and say what is wrong and what to do."`
	SMTP   struct {
		Test smtpTest `cmd:"" help:"Send a mail, and say how far it came."`
	} `cmd:"" name:"smtp" help:"The way mails leave."`
	Backup  backupCommand  `cmd:"" help:"Copy database, keys and configuration into one sealed file, while the server runs."`
	Restore restoreCommand `cmd:"" help:"Make a server of a backup, in an empty folder and database."`

	AfterPromotion afterPromotionCommand `cmd:"" help:"Invalidate what may have been used before a replica was promoted."`

	Version versionCommand `cmd:"" help:"Say which version this is."`
	Help    helpCommand    `cmd:"" help:"Explain a command."`

	Completion completionCommand `cmd:"" help:"Write a script that completes what is typed in a shell."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Say what fits next, for the scripts."`
	Man        manCommand        `cmd:"" hidden:"" help:"Write the manual page."`

	TenantCommands struct {
		Add  tenantAdd  `cmd:"" help:"Add a tenant."`
		List tenantList `cmd:"" help:"List the tenants."`
		Show tenantShow `cmd:"" help:"Show a tenant, and how much there is in it."`
		Set  tenantSet  `cmd:"" help:"Change what a tenant is called, its language and whom its people turn to."`

		Remove tenantRemove `cmd:"" help:"Remove a tenant with everything in it, for good."`
	} `cmd:"" name:"tenant" help:"Tenants."`
	User struct {
		Add     userAdd     `cmd:"" help:"Add a user."`
		List    userList    `cmd:"" help:"List the users."`
		Show    userShow    `cmd:"" help:"Show a user, with groups, authenticators and remembered devices."`
		Set     userSet     `cmd:"" help:"Change a user, or set the password."`
		Lock    userLock    `cmd:"" help:"Lock a user's logins until unlocked."`
		Unlock  userUnlock  `cmd:"" help:"End every lock of a user's logins."`
		Disable userDisable `cmd:"" help:"Keep a user out, and end all that is open."`
		Enable  userEnable  `cmd:"" help:"Let a disabled user log in again."`
		Remove  userRemove  `cmd:"" help:"Erase a user for good."`
		Import  userImport  `cmd:"" help:"Add many users from a CSV file."`

		ForgetDevices userForgetDevices `cmd:"" help:"Ask for a second factor again where devices were remembered."`
	} `cmd:"" help:"Users."`
	Group struct {
		Add    groupAdd    `cmd:"" help:"Add a group."`
		List   groupList   `cmd:"" help:"List the groups."`
		Member groupMember `cmd:"" help:"List, add or remove a group's members."`
		Remove groupRemove `cmd:"" help:"Remove a group."`
	} `cmd:"" help:"Groups."`
	App struct {
		Add struct {
			SAML appAddSAML `cmd:"" name:"saml" help:"Add a SAML service provider by its metadata: a file, or where it is."`
			OIDC appAddOIDC `cmd:"" name:"oidc" help:"Add an OpenID Connect relying party."`
		} `cmd:"" help:"Add an application."`
		List   appList   `cmd:"" help:"List the applications."`
		Show   appShow   `cmd:"" help:"Show an application, and what to enter there."`
		Set    appSet    `cmd:"" help:"Change an application, or fetch its metadata now."`
		Remove appRemove `cmd:"" help:"End an application, and all that people have open at it."`
	} `cmd:"" help:"Applications that people log in to."`
	Authenticator struct {
		Add struct {
			TOTP authenticatorAddTOTP `cmd:"" name:"totp" help:"Hand out one that counts time: another vendor's app, a hardware token."`
			HOTP authenticatorAddHOTP `cmd:"" name:"hotp" help:"Hand out one that counts the presses of its button."`

			PrivacyIDEA authenticatorAddPrivacyIDEA `cmd:"" name:"privacyidea" help:"Offer the privacyIDEA Authenticator, an app that confirms by push."`
		} `cmd:"" help:"Hand an authenticator out to a user."`
		List     authenticatorList     `cmd:"" help:"List authenticators, newest first."`
		Show     authenticatorShow     `cmd:"" help:"Show an authenticator."`
		Counters authenticatorCounters `cmd:"" help:"Show counters, locks and clocks."`
		Resync   authenticatorResync   `cmd:"" help:"Set a clock or counter by two passcodes."`
		Set      authenticatorSet      `cmd:"" help:"Switch push on or off."`
		Lock     authenticatorLock     `cmd:"" help:"Lock an authenticator, as wrong passcodes do."`
		Unlock   authenticatorUnlock   `cmd:"" help:"End the lock of an authenticator."`
		Suspend  authenticatorSuspend  `cmd:"" help:"Keep an authenticator from being used for a while."`
		Resume   authenticatorResume   `cmd:"" help:"End a suspension."`
		Revoke   authenticatorRevoke   `cmd:"" help:"End an authenticator for good."`

		Reactivate authenticatorReactivate `cmd:"" help:"Move an app to a new phone."`
		ResetPIN   authenticatorResetPIN   `cmd:"" name:"reset-pin" help:"Make another PIN that is typed with the passcode."`

		Import    authenticatorImport    `cmd:"" help:"Import hardware tokens from a PSKC or CSV file."`
		Assign    authenticatorAssign    `cmd:"" help:"Give an imported hardware token to a user."`
		Unassign  authenticatorUnassign  `cmd:"" help:"Take a hardware token back, for somebody else."`
		Temporary authenticatorTemporary `cmd:"" help:"Make a passcode for a user who cannot make one."`
		Recovery  authenticatorRecovery  `cmd:"" name:"recovery-codes" help:"Make recovery codes for a user."`
	} `cmd:"" help:"Authenticators."`
	Enrollment struct {
		Invite enrollmentInvite `cmd:"" help:"Mail users a link to set up a first authenticator."`
		List   enrollmentList   `cmd:"" help:"List who was sent a link, newest first."`
		Resend enrollmentResend `cmd:"" help:"Send users another link."`
		Revoke enrollmentRevoke `cmd:"" help:"End users' links."`
		Allow  enrollmentAllow  `cmd:"" help:"Give a user leave to enrol once more."`
	} `cmd:"" help:"Enrolment of single users: links by mail, and leave to enrol again."`
	Template struct {
		List   templateList   `cmd:"" help:"List the token templates, and where each is in force."`
		Show   templateShow   `cmd:"" help:"Show a token template."`
		Add    templateAdd    `cmd:"" help:"Add a token template."`
		Set    templateSet    `cmd:"" help:"Change a token template."`
		Remove templateRemove `cmd:"" help:"Remove a token template."`
		Use    templateUse    `cmd:"" help:"Have a template in force on a platform."`
	} `cmd:"" help:"Token templates: what app tokens enrolled from now on are like."`
	Policy struct {
		Show    policyShow    `cmd:"" help:"Show a policy as a JSON document, or list them."`
		Set     policySet     `cmd:"" help:"Replace a policy, or change some of it: a command for each kind."`
		Apply   policyApply   `cmd:"" help:"Replace several policies together."`
		Explain policyExplain `cmd:"" help:"Say what holds for a user at an application, and why."`
	} `cmd:"" help:"Policies: who may log in, who may enrol, how push works."`
	Audit struct {
		List   auditList   `cmd:"" help:"List events, newest first."`
		Export auditExport `cmd:"" help:"Write all events, oldest first, as CSV or JSON lines."`
	} `cmd:"" help:"What happened."`
	Report struct {
		Enrollments reportEnrollments `cmd:"" help:"Tries of users to set up an authenticator, and what became of them."`
		Activity    reportActivity    `cmd:"" help:"People logging in."`
		Push        reportPush        `cmd:"" help:"Push requests, and what became of them."`
		Apps        reportApps        `cmd:"" help:"Authenticator apps by platform and version."`
	} `cmd:"" help:"Reports."`

	Phone struct {
		Capabilities []string `placeholder:"LIST" help:"Act as an app that can do only this, such as presence:none,presence:enter."`
		AppVersion   string   `placeholder:"NAME/VERSION" help:"Act as another app, or version, such as latchkey-phone/1.0.0."`

		Activate phoneActivate `cmd:"" help:"Make an account from an activation link or a short code."`
		List     phoneList     `cmd:"" help:"List the accounts, as their servers say they stand."`
		Passcode phonePasscode `cmd:"" help:"Show the current passcode, or the next one."`
		Respond  phoneRespond  `cmd:"" help:"Answer the challenge that a login page shows."`
		PIN      phonePIN      `cmd:"" name:"pin" help:"Change an account's PIN."`
		Pending  phonePending  `cmd:"" help:"List the push requests that wait for an answer."`
		Approve  phoneApprove  `cmd:"" help:"Approve a push request."`
		Deny     phoneDeny     `cmd:"" help:"Deny a push request."`
	} `cmd:"" help:"An authenticator app without a screen."`
}

// run is main with arguments and streams of its own, for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c commands
	s := &shell{flags: &c, stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv, environ: os.Environ()}
	helped := false
	parser, err := newParser(&c, kong.Writers(stdout, stderr), kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		return s.fail(err)
	}
	command, err := parser.Parse(args)
	switch {
	case helped:
		return exitOK
	case err != nil:
		// With --json, errors are JSON too, even those of the parser.
		c.JSON = c.JSON || slices.Contains(args, "--json")
		if now := oldPolicySet(parser.Model, args); now != nil {
			return s.fail(usageErrorf("%w; see \"%s --help\"", now, commandPath(err)))
		}
		return s.fail(usageErrorf("%w; see \"%s --help\"", err, commandPath(err)))
	}
	s.command, s.model = command.Command(), parser.Model
	if !slices.Contains([]string{"serve", "demo"}, s.command) { // what they do is for people who wait
		command.BindTo(store.LongRunning(ctx), (*context.Context)(nil))
	}
	return s.fail(command.Run())
}

// newParser returns the parser of the command line.
func newParser(c *commands, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append(options, kong.Name("latchkey"),
		kong.Description("An identity provider with its own authenticators. Every command has --help, with an example; \"latchkey help COMMAND\" says the same, and --version which version this is."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}))...)
}

// commandPath is as much of the command as the parser understood.
func commandPath(err error) string {
	if parsing, ok := errors.AsType[*kong.ParseError](err); ok && parsing.Context != nil {
		if node := parsing.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "latchkey"
}

// fail prints an error and returns the exit code.
func (s *shell) fail(err error) int {
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return exitOK
	case errors.Is(err, errUsage):
		s.printError(err)
		return exitUsage
	}
	s.printError(err)
	return exitFailed
}
