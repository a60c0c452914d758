// SPDX-License-Identifier: MIT

// Goroutines and time: sleeps, timers, tickers, limits, and goroutines that never let go of a processor.
package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	runtime.GOMAXPROCS(4)
	sleeps()
	timers()
	tickers()
	limits()
	preemption()
	fmt.Println("all steps are done")
}

// Whoever sleeps for less wakes up first.
func sleeps() {
	woken := make(chan int, 3)
	for _, ms := range []int{400, 20, 200} {
		go func(ms int) {
			begin := time.Now()
			time.Sleep(time.Duration(ms) * time.Millisecond)
			if time.Since(begin) < time.Duration(ms)*time.Millisecond {
				panic("woken too early")
			}
			woken <- ms
		}(ms)
	}
	fmt.Println("sleeps:", <-woken, <-woken, <-woken)
}

func timers() {
	stopped := time.NewTimer(time.Hour)
	was := stopped.Stop()
	stopped.Reset(time.Millisecond)
	<-stopped.C
	called := make(chan string)
	time.AfterFunc(2*time.Millisecond, func() { called <- "called" })
	fmt.Println("timers:", was, stopped.Stop(), <-called)
}

func tickers() {
	ticker := time.NewTicker(3 * time.Millisecond)
	begin := time.Now()
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	ticker.Stop()
	fmt.Println("tickers:", time.Since(begin) >= 15*time.Millisecond)
}

func limits() {
	limited, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	rounds, going := 0, true
	for going {
		select {
		case <-limited.Done():
			going = false
		case <-time.After(time.Millisecond):
			rounds++
		}
	}
	fmt.Println("limits:", limited.Err(), rounds <= 5)
}

// One processor, and a goroutine in a loop without a call: the runtime takes it away by a signal.
func preemption() {
	runtime.GOMAXPROCS(1)
	var going uint32 = 1
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		for atomic.LoadUint32(&going) == 1 {
		}
	}()
	// Lets it begin; then whoever comes back has been given the processor.
	runtime.Gosched()
	atomic.StoreUint32(&going, 0)
	group.Wait()
	fmt.Println("preemption: a loop was interrupted")
}
