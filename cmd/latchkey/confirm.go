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
	f, ok := s.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return refuse("%s Say --yes if you mean it", what)
	}
	if _, err := fmt.Fprintf(s.stderr, "%s\nIt cannot be undone. Go on? Type yes: ", what); err != nil {
		return err
	}
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(f).ReadString('\n') // nothing typed is no yes
		typed <- strings.TrimSpace(line)
	}()
	select {
	case answer := <-typed:
		if !strings.EqualFold(answer, "yes") {
			return errors.New("nothing was changed")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
