// SPDX-License-Identifier: Apache-2.0

// gostorm: "gostorm DIR N": goroutines make files, directories, links and connections while others compute and are
// pre-empted by SIGURG. Every call must succeed, or fail as it should; one line for each kind.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

var kinds = []string{"create", "exclusive", "again", "mkdir", "mkdir again", "link", "symlink", "rename", "chmod", "truncate",
	"missing", "remove", "dial"}
var good, bad [16]int64

func count(kind int, ok bool, err error) {
	if ok {
		atomic.AddInt64(&good[kind], 1)
		return
	}
	if atomic.AddInt64(&bad[kind], 1) == 1 {
		fmt.Printf("%s: error %v\n", kinds[kind], err)
	}
}

func files(dir string, n int) {
	for i := 0; i < n; i++ {
		p := filepath.Join(dir, strconv.Itoa(i))
		f, err := os.Create(p)
		if err == nil {
			_, err = f.WriteString("x")
			f.Close()
		}
		count(0, err == nil, err)
		f, err = os.OpenFile(p+"e", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0600)
		count(1, err == nil, err)
		f.Close()
		_, err = os.OpenFile(p+"e", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0600)
		count(2, errors.Is(err, os.ErrExist), err)
		err = os.Mkdir(p+"d", 0700)
		count(3, err == nil, err)
		err = os.Mkdir(p+"d", 0700)
		count(4, errors.Is(err, os.ErrExist), err)
		err = os.Link(p, p+"l")
		count(5, err == nil, err)
		err = os.Symlink(p, p+"s")
		count(6, err == nil, err)
		err = os.Rename(p+"l", p+"r")
		count(7, err == nil, err)
		err = os.Chmod(p, 0640)
		count(8, err == nil, err)
		err = os.Truncate(p, 10)
		count(9, err == nil, err)
		_, err = os.Open(p + "none")
		count(10, errors.Is(err, os.ErrNotExist), err)
		err = os.RemoveAll(p + "d")
		if err == nil {
			err = os.Remove(p + "r")
		}
		count(11, err == nil, err)
	}
}

func dial(network, address string, n int) {
	for i := 0; i < n; i++ {
		c, err := net.Dial(network, address)
		if err == nil {
			_, err = io.ReadAll(c)
			c.Close()
		}
		count(12, err == nil, err)
	}
}

func listen(network, address string) net.Listener {
	l, err := net.Listen(network, address)
	if err != nil {
		fmt.Println("listen: error", err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("hello"))
			c.Close()
		}
	}()
	return l
}

func main() {
	var work, spin sync.WaitGroup
	var over int32
	n, _ := strconv.Atoi(os.Args[2])
	socket := filepath.Join(os.Args[1], "socket")
	l := listen("unix", socket)
	for i := 0; i < 4; i++ {
		dir := filepath.Join(os.Args[1], "g"+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0755); err != nil {
			fmt.Println("mkdir: error", err)
		}
		work.Add(2)
		go func() { defer work.Done(); files(dir, n) }()
		go func() { defer work.Done(); dial("unix", socket, n) }()
		spin.Add(1)
		// Without calls in it: only a signal takes the processor away.
		go func() {
			defer spin.Done()
			for x := uint64(1); atomic.LoadInt32(&over) == 0; x = x*6364136223846793005 + 1 {
			}
		}()
	}
	work.Wait()
	atomic.StoreInt32(&over, 1)
	spin.Wait()
	l.Close()
	for i, k := range kinds {
		fmt.Printf("%s %d\n", k, good[i])
	}
}
