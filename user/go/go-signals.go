// SPDX-License-Identifier: MIT

// Signals that the runtime catches and hands on: to the process, to a thread, from a timer, and to end it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	runtime.GOMAXPROCS(4)
	caught := make(chan os.Signal, 4)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGHUP)
	for _, number := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGHUP} {
		kill(number)
		fmt.Println("caught:", <-caught)
	}
	signal.Ignore(syscall.SIGHUP)
	kill(syscall.SIGHUP)
	fmt.Println("ignored:", signal.Ignored(syscall.SIGHUP), len(caught))
	from := make(chan os.Signal, 1)
	signal.Notify(from, syscall.SIGALRM)
	alarm()
	select {
	case it := <-from:
		fmt.Println("alarm:", it)
	case <-time.After(10 * time.Second):
		fmt.Println("alarm: none")
	}
	fromThread()
	signal.Stop(caught)
	endByRequest()
}

// The usual way of a server: it is asked to end, and ends with a status of its own.
func endByRequest() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go func() {
		time.Sleep(time.Millisecond)
		kill(syscall.SIGTERM)
	}()
	work := time.NewTicker(10 * time.Microsecond)
	for {
		select {
		case <-work.C:
		case it := <-asked:
			fmt.Println("asked to end:", it)
			os.Exit(3)
		}
	}
}

func kill(number syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), number); err != nil {
		panic(err)
	}
}

// SIGALRM by the process's own timer.
func alarm() {
	timer := [4]int64{0, 0, 0, 5000}
	const setitimer = 38
	if _, _, errno := syscall.Syscall(setitimer, 0, uintptr(unsafe.Pointer(&timer)), 0); errno != 0 {
		panic(errno)
	}
}

// A signal to one thread, while the goroutine stays on it.
func fromThread() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR2)
	if err := syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGUSR2); err != nil {
		panic(err)
	}
	fmt.Println("to a thread:", <-caught)
}
