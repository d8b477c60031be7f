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

// confirm asks at a terminal whether to go on with what destroys something,
// having said what. Where nobody can be asked, --yes must have been given.
func (s *shell) confirm(ctx context.Context, yes bool, destroys string, args ...any) error {
	if yes {
		return nil
	}
	what := printable(fmt.Sprintf(destroys, args...))
	f, ok := s.terminal()
	if !ok {
		return refuse("%s Say --yes if you mean it", what)
	}
	return s.ask(ctx, f, what+"\nIt cannot be undone.")
}

// agree asks at a terminal whether to go on with what can be undone, but whose
// consequences, in lines of their own, must have been read. Where nobody can be
// asked, they are an error: what was asked for was right, and is not done.
func (s *shell) agree(ctx context.Context, consequences warned) error {
	f, ok := s.terminal()
	if !ok {
		return append(consequences, "Nothing was changed; say --yes if you mean it.")
	}
	for i, line := range consequences {
		consequences[i] = printable(line)
	}
	return s.ask(ctx, f, consequences.Error())
}

// A warned is what would have come of a change, a line for each thing.
type warned []string

func (w warned) Error() string { return strings.Join(w, "\n") }

// terminal is the one somebody sits at, if there is one.
func (s *shell) terminal() (*os.File, bool) {
	f, ok := s.stdin.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// ask asks at a terminal whether to go on.
func (s *shell) ask(ctx context.Context, f *os.File, having string) error {
	answer, err := s.line(ctx, f, having+" Go on? Type yes: ")
	if err == nil && !strings.EqualFold(answer, "yes") {
		err = errors.New("nothing was changed")
	}
	return err
}

// line asks a question at a terminal and returns what was typed, without the
// spaces around it. Nothing typed is an empty answer.
func (s *shell) line(ctx context.Context, f *os.File, question string) (string, error) {
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
