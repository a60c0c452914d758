// SPDX-License-Identifier: MIT

// Goroutines that meet: channels, select, locks, conditions, groups, contexts, and panics that are recovered.
package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	workers = 4
	rounds  = 200
)

func main() {
	runtime.GOMAXPROCS(workers)
	fmt.Println("primes:", primes(20))
	pipeline()
	selects()
	locks()
	conditions()
	atomics()
	panics()
	contexts()
	many()
	fmt.Println("all steps are done")
}

// A chain of goroutines, each of which sieves for the next one.
func primes(count int) []int {
	numbers := make(chan int)
	go func(to chan int) {
		for number := 2; ; number++ {
			to <- number
		}
	}(numbers)
	var found []int
	for len(found) < count {
		prime := <-numbers
		found = append(found, prime)
		rest := make(chan int)
		go func(from, to chan int) {
			for number := range from {
				if number%prime != 0 {
					to <- number
				}
			}
		}(numbers, rest)
		numbers = rest
	}
	return found
}

// Several goroutines take from one channel and give to another, with room in between.
func pipeline() {
	tasks, results := make(chan int, 3), make(chan int, 3)
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for task := range tasks {
				results <- task * task
			}
		}()
	}
	go func() {
		for task := 0; task < rounds; task++ {
			tasks <- task
		}
		close(tasks)
		group.Wait()
		close(results)
	}()
	sum := 0
	for result := range results {
		sum += result
	}
	_, open := <-results
	fmt.Println("pipeline:", sum, "open:", open)
}

// What is ready is taken; if nothing is, the default is, or what comes after a while.
func selects() {
	even, odd, done := make(chan int), make(chan int), make(chan struct{})
	go func() {
		for i := 0; i < rounds; i++ {
			if i%2 == 0 {
				even <- i
			} else {
				odd <- i
			}
		}
		close(done)
	}()
	var evens, odds int
	for going := true; going; {
		select {
		case it := <-even:
			evens += it
		case it := <-odd:
			odds += it
		case <-done:
			going = false
		}
	}
	nothing := false
	select {
	case <-even:
	default:
		nothing = true
	}
	late := false
	select {
	case <-odd:
	case <-time.After(2 * time.Millisecond):
		late = true
	}
	var never chan int
	select {
	case never <- 1:
	case <-done:
	}
	fmt.Println("selects:", evens, odds, "nothing:", nothing, "late:", late)
}

func locks() {
	var (
		group  sync.WaitGroup
		lock   sync.Mutex
		shared sync.RWMutex
		once   sync.Once
		count  = map[int]int{}
		pair   [2]int
		times  int
	)
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for round := 0; round < rounds; round++ {
				lock.Lock()
				count[worker]++
				lock.Unlock()
				if round%10 == worker {
					shared.Lock()
					pair[0]++
					runtime.Gosched()
					pair[1]++
					shared.Unlock()
				}
				shared.RLock()
				if pair[0] != pair[1] {
					panic("a reader has seen one half of what was written")
				}
				shared.RUnlock()
				once.Do(func() { times++ })
			}
		}(i)
	}
	group.Wait()
	fmt.Println("locks:", count, pair, times)
}

func conditions() {
	var lock sync.Mutex
	turn, changed, order := 0, sync.NewCond(&lock), []int{}
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for round := 0; round < 3; round++ {
				lock.Lock()
				for turn%workers != worker {
					changed.Wait()
				}
				order = append(order, worker)
				turn++
				changed.Broadcast()
				lock.Unlock()
			}
		}(i)
	}
	group.Wait()
	fmt.Println("conditions:", order)
}

func atomics() {
	var sum, swaps uint64
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := uint64(0); round < rounds; round++ {
				atomic.AddUint64(&sum, round)
				for {
					seen := atomic.LoadUint64(&swaps)
					if atomic.CompareAndSwapUint64(&swaps, seen, seen+1) {
						break
					}
				}
			}
		}()
	}
	group.Wait()
	fmt.Println("atomics:", sum, swaps)
}

// A panic is recovered in its goroutine, whoever raises it: the program, the language, or the processor.
func panics() {
	var nothing *struct{ field int }
	divisor, numbers := 0, []int{1, 2, 3}
	causes := []func(){
		func() { panic("on purpose") },
		func() { panic(errors.New("an error")) },
		func() { nothing.field++ },
		func() { numbers[0] /= divisor },
		func() { numbers[len(numbers)+divisor]++ },
		func() { close((chan int)(nil)) },
		func() { _ = any(numbers).(string) },
	}
	said := make([]string, len(causes))
	var group sync.WaitGroup
	for i := range causes {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			defer func() { said[i] = fmt.Sprint(recover()) }()
			causes[i]()
		}(i)
	}
	group.Wait()
	for _, text := range said {
		fmt.Println("panic:", text)
	}
}

func contexts() {
	cancelled, cancel := context.WithCancel(context.Background())
	limited, stop := context.WithTimeout(cancelled, time.Millisecond)
	defer stop()
	<-limited.Done()
	child := context.WithValue(cancelled, "key", "value")
	cancel()
	<-child.Done()
	fmt.Println("contexts:", limited.Err(), child.Err(), child.Value("key"))
}

// Far more goroutines than threads.
func many() {
	const all = 1000
	first := make(chan int)
	last := first
	for i := 0; i < all; i++ {
		next := make(chan int)
		go func(from, to chan int) { to <- 1 + <-from }(last, next)
		last = next
	}
	first <- 0
	fmt.Println("many:", <-last)
}
