package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm says what an act destroys, and asks at a terminal whether to go on. If
// nobody can be asked, --yes must have been given.
func (s *shell) confirm(ctx context.Context, yes bool, destroys string, args ...any) error {
	if yes {
		return nil
	}
	what := printable(fmt.Sprintf(destroys, args...))
	f, ok := s.terminal()
	if !ok {
		return usageErrorf("%s Say --yes if you mean it", what)
	}
	return s.askYes(ctx, f, what+"\nIt cannot be undone.")
}

// confirmWarnings asks at a terminal whether to go on with a change that can be
// undone, but whose consequences must have been read. Where nobody can be asked, the
// consequences are the error, and nothing is done.
func (s *shell) confirmWarnings(ctx context.Context, consequences warnings) error {
	f, ok := s.terminal()
	if !ok {
		return append(consequences, "Nothing was changed; say --yes if you mean it.")
	}
	for i, line := range consequences {
		consequences[i] = printable(line)
	}
	return s.askYes(ctx, f, consequences.Error())
}

// Warnings are what would come of a change, a line for each thing.
type warnings []string

func (w warnings) Error() string { return strings.Join(w, "\n") }

// terminal is the terminal that standard input is, if it is one.
func (s *shell) terminal() (*os.File, bool) {
	f, ok := s.stdin.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// askYes asks at a terminal whether to go on.
func (s *shell) askYes(ctx context.Context, f *os.File, having string) error {
	answer, err := s.askLine(ctx, f, having+" Go on? Type yes: ")
	if err == nil && !strings.EqualFold(answer, "yes") {
		err = errors.New("nothing was changed")
	}
	return err
}

// askLine asks a question at a terminal and returns what was typed, without the
// spaces around it. Nothing typed is an empty answer.
func (s *shell) askLine(ctx context.Context, f *os.File, question string) (string, error) {
	if _, err := fmt.Fprint(s.stderr, question); err != nil {
		return "", err
	}
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(f).ReadString('\n') // nothing typed is no yes
		typed <- strings.TrimSpace(line)
	}()
	select {
	case answer := <-typed:
		return answer, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
