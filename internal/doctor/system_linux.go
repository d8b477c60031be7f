package doctor

import "syscall"

// clockIsSet reports whether the kernel considers its clock synchronised (adjtimex(2)).
func clockIsSet() (set, known bool) {
	const timeError = 5 // TIME_ERROR: not synchronised
	state, err := syscall.Adjtimex(&syscall.Timex{})
	return state != timeError, err == nil
}

// freeSpace returns the number of bytes that can be written in a folder.
func freeSpace(dir string) (bytes int64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return int64(s.Bavail) * s.Bsize, true, nil
}
